package mp3_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/iotest"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// lameFile encodes the sample call's agent with LAME through ffmpeg.
func lameFile(t testing.TB, rate, channels int, more ...string) []byte {
	t.Helper()
	args := slices.Concat(
		[]string{"-v", "error", "-i", "pipe:0", "-t", "6", "-ar", strconv.Itoa(rate), "-ac", strconv.Itoa(channels), "-c:a", "libmp3lame"},
		more, []string{"-f", "mp3", "pipe:1"})
	cmd := exec.CommandContext(t.Context(), recordingtest.Tool(t, "ffmpeg", "ffmpeg"), args...)
	cmd.Stdin = bytes.NewReader(samplecall.Agent())
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

// LAME's files decode to ffmpeg's samples, delay and padding cut off, from
// files and from streams.
func TestDecodeAgainstFFmpeg(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	cases := []struct {
		rate, channels int
		args           []string
	}{
		{16000, 1, []string{"-b:a", "32k"}},
		{16000, 2, []string{"-b:a", "64k"}},
		{8000, 1, []string{"-b:a", "16k"}},
		{8000, 2, []string{"-q:a", "5"}},
		{11025, 2, []string{"-b:a", "48k"}},
		{12000, 1, []string{"-abr", "1", "-b:a", "24k"}},
		{22050, 1, []string{"-b:a", "32k"}}, // padded frames
		{24000, 1, []string{"-b:a", "64k"}},
		{32000, 1, []string{"-q:a", "4"}},    // variable bitrate
		{44100, 2, []string{"-b:a", "128k"}}, // joint stereo
		{44100, 2, []string{"-b:a", "192k", "-joint_stereo", "0"}},
		{48000, 2, []string{"-q:a", "0"}},
		{48000, 1, []string{"-b:a", "64k"}},
		{44100, 1, []string{"-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"}},
		{44100, 1, []string{"-b:a", "64k", "-write_id3v1", "1"}},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			file := lameFile(t, c.rate, c.channels, c.args...)
			require.True(t, mp3.Sniff(file[:min(len(file), codec.Head)]))
			s, _, err := mp3.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
			require.NoError(t, err)
			require.Equal(t, c.rate, s.Format().SampleRate)
			require.Equal(t, c.channels, s.Format().NumChannels)
			n, ok := audio.FramesOf(s)
			require.True(t, ok)
			got := recordingtest.ReadAll(t, s)
			require.Equal(t, int(n), len(got)/c.channels)
			for _, d := range codec.LaterDefects(s) {
				require.Equal(t, record.DefectClipped, d.Code, d.Detail)
			}
			want, err := recordingtest.FFmpegSamples(t, file)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			require.Greater(t, recordingtest.SNR(want, got), 110.0)
			recordingtest.SourceContract(t, func() audio.Source {
				s, _, err := mp3.Decode(iotest.HalfReader(bytes.NewReader(file[:min(len(file), 5000)])), codec.Hint{Size: -1})
				require.NoError(t, err)
				return s
			})
		})
	}
}

// LAME's free format, with padded frames: the length of the frames is found.
func TestFreeFormat(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for rate, kbps := range map[string]string{"8": "20", "44.1": "400"} {
		cmd := exec.CommandContext(t.Context(), recordingtest.Tool(t, "lame", "lame"),
			"--quiet", "--freeformat", "-b", kbps, "--resample", rate, "-", "-")
		cmd.Stdin = bytes.NewReader(samplecall.Agent())
		file, err := cmd.Output()
		require.NoError(t, err)
		require.True(t, mp3.Sniff(file[:min(len(file), codec.Head)]), rate)
		got := recordingtest.ReadAll(t, open(t, file))
		cmd = exec.CommandContext(t.Context(), recordingtest.Tool(t, "mpg123", "mpg123"), "--quiet", "--stdout", "--encoding", "f32", "-")
		cmd.Stdin = bytes.NewReader(file)
		raw, err := cmd.Output() // ffmpeg can't
		require.NoError(t, err)
		want := make([]float32, len(raw)/4)
		for i := range want {
			want[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		require.Len(t, got, len(want))
		require.Greater(t, recordingtest.SNR(want, got), 110.0)
	}
}

// Damage in the middle costs its frames and no more: what follows is in time.
func TestDamagedStream(t *testing.T) {
	t.Parallel()
	file := lameFile(t, 16000, 1, "-b:a", "32k")
	want := recordingtest.ReadAll(t, open(t, file))
	damaged := slices.Clone(file)
	for i := range 40 {
		damaged[10000+i] ^= 0x5A
	}
	s := open(t, damaged)
	got := recordingtest.ReadAll(t, s)
	require.InDelta(t, len(want), len(got), 3*576)
	require.True(t, recordingtest.Near(want[:20000], got[:20000], 0), "before the damage nothing changes")
	require.Greater(t, recordingtest.SNR(want[len(want)-20000:], got[len(got)-20000:]), 100.0, "nor after it")

	cut := open(t, file[:20001])
	recordingtest.ReadAll(t, cut)
	require.Equal(t, record.DefectTruncated, codec.LaterDefects(cut)[0].Code)

	// A stream that was joined late: the first frames lack their bit reservoir,
	// and are silence rather than noise.
	late := open(t, file[7777:])
	got = recordingtest.ReadAll(t, late)
	require.NotEmpty(t, got)
	require.Equal(t, record.DefectTruncated, codec.LaterDefects(late)[0].Code)
}

func open(t *testing.T, file []byte) audio.Source {
	t.Helper()
	s, _, err := mp3.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(t, err)
	return s
}

func TestRefused(t *testing.T) {
	t.Parallel()
	var fault *codec.DecodeError
	_, _, err := mp3.Decode(bytes.NewReader([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7fno frames")), codec.Hint{Size: -1})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, record.DefectUnreadableLeg, fault.Code)
	broken := errors.New("broken")
	_, _, err = mp3.Decode(iotest.ErrReader(broken), codec.Hint{Size: -1})
	require.ErrorIs(t, err, broken)
	require.False(t, mp3.Sniff([]byte("RIFF....WAVE")))
	require.False(t, mp3.Search([]byte("RIFF....WAVE")))
	require.False(t, mp3.Sniff([]byte{0xFF, 0xF1, 0x50, 0x80}), "AAC in ADTS")
}

// Every file of the corpus, from files and from streams: the sound stream's
// samples or a refusal that says why, and the right total.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for rate, bitrate := range map[int]int{8000: 16000, 16000: 32000} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			t.Parallel()
			checkCorpus(t, rate, bitrate)
		})
	}
}

func checkCorpus(t *testing.T, rate, bitrate int) {
	t.Helper()
	const frames, frameBytes = 20000, 144
	var b bytes.Buffer
	e, err := mp3.New(&b, recordingtest.Mono(rate), codec.Options{Frames: frames, BitrateBps: bitrate})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Noise(frames, 0.5, 1)))
	require.NoError(t, e.Finish())
	want := recordingtest.ReadAll(t, open(t, b.Bytes()))
	require.Len(t, want, frames)
	for _, c := range recordingtest.MP3Corpus(b.Bytes(), frameBytes) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{bytes.NewReader(c.File), iotest.HalfReader(bytes.NewReader(c.File))} {
				_, random := r.(io.ReaderAt)
				if c.Random && !random {
					continue
				}
				s, _, err := mp3.Decode(r, codec.Hint{Size: int64(len(c.File))})
				if c.Refused != "" {
					var fault *codec.DecodeError
					require.ErrorAs(t, err, &fault)
					require.Equal(t, c.Refused, fault.Code, err.Error())
					continue
				}
				require.NoError(t, err)
				n, known := audio.FramesOf(s)
				got := recordingtest.ReadAll(t, s)
				require.Equal(t, random, known)
				if known {
					require.Equal(t, len(got), int(n))
				}
				var codes []record.DefectCode
				for _, d := range codec.LaterDefects(s) {
					if d.Code != record.DefectClipped {
						codes = append(codes, d.Code)
					}
				}
				require.Equal(t, c.Defects, codes)
				if c.Same < 0 {
					require.Len(t, got, len(want))
				}
				require.GreaterOrEqual(t, len(got), frames/3)
				require.True(t, recordingtest.Near(want[:len(got)], got, 0))
			}
		})
	}
}

// Frames with another number of channels than the first are mixed or doubled,
// and the timeline goes on.
func TestChannelsChange(t *testing.T) {
	t.Parallel()
	part := func(channels int) []byte {
		var b bytes.Buffer
		e, err := mp3.NewEncoder(&b, &goaudio.Format{NumChannels: channels, SampleRate: 16000},
			codec.Options{Frames: 576 * 20, BitrateBps: 64000}, &mp3.EncoderOptions{OmitInfo: true, Stereo: mp3.StereoJoint})
		require.NoError(t, err)
		samples := make([]float32, 576*20*channels)
		for i := range samples {
			samples[i] = 0.5 * float32(math.Sin(float64(i/channels)*0.2))
		}
		require.NoError(t, e.WriteFrames(samples))
		require.NoError(t, e.Finish())
		return b.Bytes()
	}
	mono, stereo := part(1), part(2)
	for channels, file := range map[int][]byte{1: slices.Concat(mono, stereo), 2: slices.Concat(stereo, mono)} {
		s := open(t, file)
		require.Equal(t, channels, s.Format().NumChannels)
		got := recordingtest.ReadAll(t, s)
		want, err := recordingtest.FFmpegSamples(t, file)
		require.NoError(t, err)
		require.Empty(t, codec.LaterDefects(s))
		require.InDelta(t, len(want), len(got), float64(1152*channels))
		power := func(s []float32) (sum float64) {
			for _, x := range s {
				sum += float64(x) * float64(x)
			}
			return sum / float64(len(s))
		}
		half := len(got) / 2
		require.InEpsilon(t, power(got[:half]), power(got[half:]), 0.1)
	}
}

// Whatever the bytes, decoding ends without a panic, in bounded memory, and
// with as many frames as were counted.
func FuzzMP3Decode(f *testing.F) {
	if path, err := exec.LookPath("ffmpeg"); err == nil && path != "" {
		file := lameFile(f, 16000, 1, "-b:a", "32k")
		f.Add(file[:3000])
		file = lameFile(f, 44100, 2, "-b:a", "128k")
		f.Add(file[:4000])
		f.Add(file[900:4000])
	}
	f.Add([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"))
	f.Add(bytes.Repeat([]byte{0xFF, 0xFB, 0x90, 0x00}, 500))
	f.Fuzz(func(t *testing.T, file []byte) {
		file = file[:min(len(file), 16<<10)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, _, err := mp3.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
		if err != nil {
			var fault *codec.DecodeError
			require.ErrorAs(t, err, &fault)
			return
		}
		total, known := audio.FramesOf(s)
		block := make([]float32, 2000)
		frames := int64(0)
		for {
			n, err := s.ReadFrames(block)
			frames += int64(n)
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
		}
		runtime.ReadMemStats(&after)
		if known {
			require.Equal(t, total, frames)
		}
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20)+uint64(3000*len(file)))
	})
}
