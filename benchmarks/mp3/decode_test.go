package mp3bench

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	gomp3 "github.com/hajimehoshi/go-mp3"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// BenchmarkMP3Decode decodes 5 minutes of the speech-like signal that our encoder
// made: with our decoder, with go-mp3 (16 kHz and up), and with ffmpeg, the whole
// command, on one thread and with its start-up.
func BenchmarkMP3Decode(b *testing.B) {
	for _, c := range []struct {
		name                    string
		rate, channels, bitrate int
	}{
		{"8k-mono-32k", 8000, 1, 32000},
		{"16k-mono-32k", 16000, 1, 32000},
		{"16k-stereo-64k", 16000, 2, 64000},
		{"44k-stereo-128k", 44100, 2, 128000},
	} {
		const seconds = 300
		file := encoded(b, seconds, c.rate, c.channels, c.bitrate)
		run := func(name string, decode func(b *testing.B)) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					decode(b)
				}
				audio := seconds * float64(b.N)
				b.ReportMetric(audio/b.Elapsed().Seconds(), "x-realtime")
				b.ReportMetric(audio/(cpuTime(b)-before).Seconds(), "x-realtime-CPU")
			})
		}
		run("switchtape", func(b *testing.B) {
			b.Helper()
			s, _, err := mp3.Decode(bytes.NewReader(file), codec.Hint{Size: codec.SizeUnknown})
			if err != nil {
				b.Fatal(err)
			}
			block := make([]float32, c.rate/50*c.channels)
			for {
				if _, err := s.ReadFrames(block); err != nil {
					if !errors.Is(err, io.EOF) {
						b.Fatal(err)
					}
					return
				}
			}
		})
		if c.rate >= 16000 { // go-mp3 has no MPEG-2.5
			run("go-mp3", func(b *testing.B) {
				b.Helper()
				d, err := gomp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(file)})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, d); err != nil {
					b.Fatal(err)
				}
			})
		}
		run("ffmpeg", func(b *testing.B) {
			b.Helper()
			cmd := exec.CommandContext(b.Context(), "ffmpeg", "-v", "error", "-threads", "1", "-i", "pipe:0", "-f", "null", "-")
			cmd.Stdin = bytes.NewReader(file)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		})
	}
}

// cpuTime is what this process and its ended children have used. On a loaded
// machine it tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var sum int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += u.Utime.Nano() + u.Stime.Nano()
	}
	return time.Duration(sum)
}

func encoded(b *testing.B, seconds, rate, channels, bitrate int) []byte {
	b.Helper()
	var out bytes.Buffer
	samples := speechLike(seconds*rate, channels, rate)
	e, err := mp3.New(&out, &goaudio.Format{NumChannels: channels, SampleRate: rate},
		codec.Options{Frames: int64(seconds * rate), BitrateBps: bitrate})
	if err != nil {
		b.Fatal(err)
	}
	if err := e.WriteFrames(samples); err != nil {
		b.Fatal(err)
	}
	if err := e.Finish(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}
