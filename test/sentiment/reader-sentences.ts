// Sentences that people might type. They were written before any training, and are not to be changed to suit a model, nor
// trained or chosen on.

/** Label, then sentences. */
export type Group = Readonly<Record<'positive' | 'negative' | 'neutral', readonly string[]>>;

export const sentences: Readonly<Record<string, Group>> = {
  plain: {
    positive: [
      'I really enjoyed the concert last night.',
      'The staff were friendly and helpful.',
      'What a beautiful song.',
      'This soup is delicious.',
      'My new chair is very comfortable.',
      'She did a fantastic job.',
      'We had a lovely time at the lake.',
      'The instructions are clear and easy to follow.',
      'I am proud of what we achieved.',
      'Great service, I will come back.',
    ],
    negative: [
      'The battery dies within an hour.',
      'This is a terrible idea.',
      'He lied to me and I feel hurt.',
      'The pizza was cold and greasy.',
      'I hate waiting in line.',
      'The sound quality is awful.',
      'Our flight was cancelled and nobody helped us.',
      'The book was dull and predictable.',
      'She was rude to the waiter.',
      'I regret buying this.',
    ],
    neutral: [],
  },
  negated: {
    positive: [
      'Not bad at all.',
      'I have no complaints.',
      'You will not be disappointed.',
      'There is nothing wrong with it.',
    ],
    negative: [
      'I did not enjoy the film.',
      "It isn't funny.",
      'The room was not clean.',
      'I would never recommend this place.',
      "It doesn't work properly.",
    ],
    neutral: [],
  },
  contrasted: {
    positive: [
      'The start was slow, but I ended up loving it.',
      'It is expensive but worth every penny.',
      'The plot was thin but the acting saved it.',
      'Although it rained all week, we had a wonderful holiday.',
    ],
    negative: [
      'The pictures are pretty, but the story is a mess.',
      'It looks nice but it broke on the first day.',
      'I wanted to like it, but it left me cold.',
      'The food was good, but the service ruined our evening.',
      'Despite a great cast, the film is boring.',
    ],
    neutral: [],
  },
  intensified: {
    positive: [
      'This is absolutely brilliant!',
      'I am so, so happy for you.',
      'An extremely well made camera.',
      'It was by far the nicest hotel we ever stayed in.',
      'I LOVE IT!!!',
    ],
    negative: [
      'That was incredibly stupid.',
      'I am really, really angry.',
      'What an utterly pointless meeting.',
      'WORST SERVICE EVER!!!',
    ],
    neutral: [],
  },
  comparative: {
    positive: [
      'This phone is much better than my old one.',
      'I have never seen a better performance.',
      'It works faster than I expected.',
      'The second season is even more exciting than the first.',
    ],
    negative: [
      'The sequel is worse than the original.',
      'I have had better coffee at a petrol station.',
      'The new version is slower and uglier than the old one.',
      'There are far better options for the price.',
      'I have seen school plays with better acting.',
    ],
    neutral: [],
  },
  emoji: {
    positive: ['best day ever 😍', 'got the job 🎉🎉', 'see you tonight :)', 'this cake 😋❤️', 'my dog is so silly 😂'],
    negative: ['missed my train again 😡', 'feeling sick today :(', 'they closed the park 😭', 'so much homework 🙄'],
    neutral: [],
  },
  slang: {
    positive: [
      'this album slaps',
      'lol that was hilarious',
      'you guys rock!',
      'the new update is lit',
      'omg im obsessed with this show',
    ],
    negative: ['wtf is wrong with people', 'this app sucks', 'what a ripoff', 'ugh, mondays'],
    neutral: [],
  },
  misspelt: {
    positive: [
      'I luv this so much',
      'it was amazng, defnitely going agian',
      'realy good vaule for money',
      'beutiful colors and grate quality',
    ],
    negative: [
      'teh worst expirience of my life',
      'dissapointed with the prodcut',
      'it dosnt work and its a wast of money',
      'horible custumer servise',
      'soooo borring',
    ],
    neutral: [],
  },
  long: {
    positive: [
      'We booked the small flat above the bakery for four nights in May, and from the smell of bread in the morning to the view over the roofs in the evening, everything about it made us happy.',
      'After reading so many mixed opinions I was not sure what to expect, but the headphones arrived quickly, fit well, and sound far better than anything else I have tried at this price.',
      'My grandmother, who usually falls asleep in the cinema, sat there with wide open eyes until the last minute and talked about the film all the way home.',
      'He took two hours of his Sunday to explain the whole thing to us, patiently answered every question, and even phoned the next day to ask whether it all worked.',
    ],
    negative: [
      'I ordered the desk at the beginning of March, was promised that it would come within two weeks, and when it finally arrived in June two of the legs were broken and nobody answered my letters.',
      'What could have been an interesting look at a forgotten chapter of history turns into two and a half hours of speeches in which nobody says anything that you would remember on the way home.',
      'The doctor kept us waiting for three hours, looked at my son for one minute without a word, and then sent us away with a bill and no idea what to do next.',
      'From the noise of the street to the stains on the carpet and the shower that gave no warm water, there was not one thing about this hotel that I would want to go through again.',
      'Since the last update the program needs a minute to start, forgets my settings every time, and has already lost two days of my work.',
    ],
    neutral: [],
  },
  neutral: {
    positive: [],
    negative: [],
    neutral: [
      'The meeting starts at nine.',
      'He works in an office near the station.',
      'The train to London leaves from platform two.',
      'Water boils at one hundred degrees.',
      'Please send me the report by Friday.',
      'The shop is open from Monday to Saturday.',
      'There are twelve chairs in the room.',
      'What time is it in New York?',
    ],
  },
};

/** Texts that an English reader should not be sure of. */
export const foreign: readonly string[] = [
  'Das Essen war ausgezeichnet und die Bedienung sehr freundlich.',
  'Ich bin von diesem Produkt sehr enttäuscht.',
  'Le film était magnifique, je le recommande à tous.',
  'Je ne suis pas content du service.',
  'La comida estaba fría y el camarero fue grosero.',
  'Me encanta esta canción.',
  'Il libro è noioso e troppo lungo.',
  'Questo ristorante è fantastico.',
  'O hotel era limpo e muito confortável.',
  'Não gostei nada deste filme.',
  'De kamer was vies en het bed was hard.',
  'Wat een prachtige dag!',
  'Maten var god och personalen var trevlig.',
  'Jeg er meget skuffet over denne bog.',
  'Ten film był naprawdę świetny.',
  'Elokuva oli tylsä ja liian pitkä.',
  'Bu telefon çok kötü, hiç beğenmedim.',
  'Мне очень понравился этот фильм.',
  'この映画はとても面白かったです。',
  '这家餐厅的服务太差了。',
];

export const gibberish: readonly string[] = [
  'asdf jkl qwer uiop',
  'xkcd vbnm zzzq plok',
  'grblfx nurp tovvik shlemp',
  '8f3a 99c1 0bd7 e2e2',
  'qqqqqq wwwww eeeee',
  'lkjhg fdsa mnbv cxz',
  'blorp zint quafle drimmon vesk',
  '%%% ### @@@ $$$',
  'aaa bbb ccc ddd eee fff',
  'tshk wrlb qpdz mfgn',
];
