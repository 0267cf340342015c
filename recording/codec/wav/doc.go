// Package wav reads and writes WAV files: RIFF, RIFX, RF64 and BW64 containers
// of linear PCM (8, 16, 24, 32 and 64 bits), IEEE float (32, 64), µ-law and
// A-law. It reads GSM 6.10 ("wav49"), IMA and Microsoft ADPCM, and MP3 in them
// too, and bare GSM frames.
//
//	io.Reader ─▶ input (a small buffer) ─▶ chunk walk: fmt, ds64, data… ─▶ samples ─▶ audio.Source
//	audio blocks ─▶ PCM16 · PCM24 · G.711 ─▶ header with known sizes ─▶ io.Writer
//
// The reader is made for what a telephone server leaves behind when it crashes:
// it believes the file rather than the header, returns every whole frame there
// is, and reports what it had to repair. It needs no seeking and never
// allocates by a size that a header claims. The writer is told the number of
// frames beforehand, so that it needs no seeking either and can write straight
// into a bucket.
//
// Containers: IBM/Microsoft, "Multimedia Programming Interface and Data
// Specifications 1.0" (1991) and Microsoft's WAVEFORMATEXTENSIBLE; RF64: EBU
// Tech 3306; BW64: ITU-R BS.2088.
package wav
