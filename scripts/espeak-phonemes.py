"""Speaks texts with espeak-ng's library and tells when each sound is heard, which its program does not.

Reads one JSON object from stdin: {"voice": "de+f3", "rate": 175, "pitch": 50, "out": FOLDER, "texts": [..]}. Writes FOLDER/0.wav, 1.wav,
.. and prints a line for each: [[sound, start, end], ..], in seconds. Needs nothing but Python and libespeak-ng.so.1.
"""

import ctypes
import json
import sys
import wave

RETRIEVAL, PHONEME_EVENTS, PHONEME_IPA = 2, 1, 2
RATE, PITCH = 1, 3
END, PHONEME = 0, 7


class Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Id),
    ]


def main():
    job = json.load(sys.stdin)
    espeak = ctypes.CDLL("libespeak-ng.so.1")
    rate = espeak.espeak_Initialize(RETRIEVAL, 200, None, PHONEME_EVENTS | PHONEME_IPA)
    if rate <= 0:
        sys.exit("espeak-ng's data could not be read")
    sound, sounds = bytearray(), []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
    def take(samples, count, events):
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        i = 0
        while events[i].type != END:
            if events[i].type == PHONEME:
                sounds.append((events[i].id.string.decode("utf-8", "ignore"), events[i].sample / rate))
            i += 1
        return 0

    espeak.espeak_SetSynthCallback(take)
    if espeak.espeak_SetVoiceByName(job["voice"].encode()) != 0:
        sys.exit("espeak-ng has no voice " + job["voice"])
    espeak.espeak_SetParameter(RATE, int(job["rate"]), 0)
    espeak.espeak_SetParameter(PITCH, int(job["pitch"]), 0)
    for i, text in enumerate(job["texts"]):
        sound.clear()
        sounds.clear()
        raw = text.encode("utf-8")
        espeak.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
        espeak.espeak_Synchronize()
        with wave.open("%s/%d.wav" % (job["out"], i), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(bytes(sound))
        ends = [start for _, start in sounds[1:]] + [len(sound) / 2 / rate]
        print(json.dumps([[name, start, end] for (name, start), end in zip(sounds, ends)]))


main()
