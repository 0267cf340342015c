package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	decoder722 "github.com/switchtape/switchtape/recording/codec/g722"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// result is what became of a pcap.
type result struct {
	caller, callee said
	// frames is how long both legs are, in ticks of clock.
	frames int64
	// incomplete is why the pcap should be kept although there are legs; "" if they hold
	// all that it does.
	incomplete string
}

// convert makes the pcap into DIR/caller.wav and DIR/callee.wav, in dir, which must be
// there and is for nothing else. Both begin with the first packet of either and are
// equally long; silence is where nothing came. A leg of which nothing could be decoded
// has no file, one of which nothing came has one without samples.
func convert(ctx context.Context, pcap io.Reader, m *metadata, dir string) (*result, error) {
	legs := map[string]*leg{caller: newLeg(caller, dir), callee: newLeg(callee, dir)}
	defer legs[caller].close()
	defer legs[callee].close()
	damage, err := place(ctx, pcap, m, legs)
	if err != nil {
		return nil, err
	}
	r := &result{incomplete: damage}
	begin := int64(maxCall)
	for _, l := range legs {
		if err := l.end(); err != nil {
			return nil, err
		}
		if l.said.Packets > 0 {
			begin, r.frames = min(begin, l.first), max(r.frames, l.frames)
		}
	}
	r.frames = max(0, r.frames-begin)
	for _, name := range []string{caller, callee} {
		l := legs[name]
		for codec, packets := range l.said.Unknown {
			if r.incomplete == "" {
				r.incomplete = fmt.Sprintf("%d packets of the %s are of the codec %s, which isn't decoded", packets, name, codec)
			}
		}
		if l.frames == 0 && len(l.said.Unknown) > 0 {
			continue
		}
		if err := l.wav(ctx, filepath.Join(dir, name+".wav"), begin, r.frames); err != nil {
			return nil, fmt.Errorf("writing the leg %s: %w", name, err)
		}
	}
	r.caller, r.callee = legs[caller].said, legs[callee].said
	return r, nil
}

// place gives each packet of the pcap to its leg. damage is why it could not be read to
// its end.
func place(ctx context.Context, pcap io.Reader, m *metadata, legs map[string]*leg) (damage string, err error) {
	packets, err := newPcapReader(pcap)
	if errors.Is(err, errDamaged) {
		return err.Error(), nil
	} else if err != nil {
		return "", err
	}
	began := time.Duration(-1)
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		d, err := packets.next()
		switch {
		case errors.Is(err, io.EOF) && packets.foreign > 0:
			return fmt.Sprintf("%d packets are no whole UDP datagrams", packets.foreign), nil
		case errors.Is(err, io.EOF):
			return "", nil
		case errors.Is(err, errDamaged):
			return err.Error(), nil
		case err != nil:
			return "", err
		}
		p, ok := parseRTP(d.payload)
		if !ok {
			continue
		}
		if began < 0 {
			began = d.at
		}
		at := m.of(d.port)
		if err := legs[at.from].take(d.at-began, at.codec(p.payloadType), p); err != nil {
			return "", err
		}
	}
}

// wav writes the leg from begin on as a file, on the disk, that is so long, in ticks: at
// 16 kHz if there is anything wide in it.
func (l *leg) wav(ctx context.Context, path string, begin, ticks int64) error {
	if l.frames == 0 {
		ticks = 0
	}
	source, err := l.source(begin, ticks)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o660)
	if err != nil {
		return err
	}
	defer f.Close() // again, if all went well
	w := bufio.NewWriterSize(f, 1<<16)
	format := source.Format()
	enc, err := wav.NewPCM(w, format, codec.Options{Frames: ticks * int64(format.SampleRate/clock)})
	if err != nil {
		return err
	}
	block := make([]float32, 1<<13)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := source.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if err := enc.WriteFrames(block[:n]); err != nil {
			return err
		}
	}
	if err := errors.Join(enc.Finish(), w.Flush(), f.Sync()); err != nil {
		return err
	}
	return f.Close()
}

// source is what the layers of the leg are together, from begin on and so long.
func (l *leg) source(begin, ticks int64) (audio.Source, error) {
	narrow, err := l.narrow.source(clock, begin, ticks)
	if err != nil || l.wide.file == nil {
		return narrow, err
	}
	wide, err := l.wide.source(decoder722.SampleRate, begin*decoder722.SamplesPerByte, ticks*decoder722.SamplesPerByte)
	if err != nil || l.narrow.file == nil {
		return wide, err
	}
	filter, err := audio.NewResampleFilter(clock, decoder722.SampleRate)
	if err != nil {
		return nil, err
	}
	if narrow, err = audio.Resample(narrow, filter); err != nil {
		return nil, err
	}
	return audio.Mix(narrow, wide) // where one has sound the other has none
}

func (l *layer) source(rate int, begin, samples int64) (audio.Source, error) {
	format := &goaudio.Format{NumChannels: 1, SampleRate: rate}
	if l.file == nil {
		return audio.NewSource(format, nil), nil
	}
	if err := l.file.Truncate(2 * (begin + samples)); err != nil { // longer, with silence
		return nil, err
	}
	if _, err := l.file.Seek(2*begin, io.SeekStart); err != nil {
		return nil, err
	}
	return wav.NewPCMSource(bufio.NewReaderSize(l.file, 1<<16), format, 16, 2*samples)
}
