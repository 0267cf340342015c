package wav

import (
	"errors"
	"io"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// decodeMP3 reads the audio of a file of format tag 0x0055 as the MPEG stream
// that it is. What the stream itself says of rate and channels holds.
func (s *source) decodeMP3(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	s.clips = audio.NewClipCounter(1, 2) // the stream counts its own
	data := io.Reader(&dataReader{s})
	inner := codec.Hint{Size: codec.SizeUnknown}
	if at, ok := r.(io.ReaderAt); ok && hint.Size >= 0 && !s.toEnd && s.in.pos+s.left+1 >= hint.Size {
		inner.Size = min(s.left, hint.Size-s.in.pos)
		data = struct {
			io.Reader
			io.ReaderAt
		}{data, io.NewSectionReader(at, s.in.pos, inner.Size)}
	}
	stream, defects, err := mp3.Decode(data, inner)
	if err != nil {
		if fault, ok := errors.AsType[*codec.DecodeError](err); ok {
			fault.Detail = "WAV of MPEG audio: " + fault.Detail
		}
		return nil, nil, err
	}
	return &mp3Source{Source: stream, file: s}, defects, nil
}

// mp3Source is the stream's Source with the file's defects.
type mp3Source struct {
	audio.Source

	file *source
}

// Frames implements [audio.Sized].
func (m *mp3Source) Frames() int64 {
	if n, ok := audio.FramesOf(m.Source); ok {
		return n
	}
	return -1
}

// Describe implements [codec.Describer].
func (m *mp3Source) Describe() string { return "WAV, " + codec.Describe(m.Source) }

// Defects implements [codec.DefectReporter].
func (m *mp3Source) Defects() []record.Defect {
	return append(m.file.Defects(), codec.LaterDefects(m.Source)...)
}

// dataReader reads the bytes of the data chunks.
type dataReader struct{ s *source }

func (d *dataReader) Read(p []byte) (int, error) {
	for d.s.err == nil && len(p) > 0 {
		b := d.s.next(len(p))
		if len(b) == 0 {
			continue
		}
		n := copy(p, b)
		d.s.in.take(n)
		d.s.left -= int64(n)
		return n, nil
	}
	if errors.Is(d.s.err, io.EOF) {
		return 0, io.EOF
	}
	return 0, d.s.err
}
