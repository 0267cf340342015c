//go:build opus && cgo

package opus

/*
#cgo pkg-config: opus
#include <opus.h>
#include <opus_multistream.h>

// The control function takes a variable number of arguments, which cgo can't call.
static int setting(OpusMSEncoder *e, int request, opus_int32 value) {
	return opus_multistream_encoder_ctl(e, request, value);
}
static int each_setting(OpusMSEncoder *e, int stream, int request, opus_int32 value) {
	OpusEncoder *s;
	int err = opus_multistream_encoder_ctl(e, OPUS_MULTISTREAM_GET_ENCODER_STATE(stream, &s));
	return err != OPUS_OK ? err : opus_encoder_ctl(s, request, value);
}
static int get_lookahead(OpusMSEncoder *e, opus_int32 *frames) {
	return opus_multistream_encoder_ctl(e, OPUS_GET_LOOKAHEAD(frames));
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Unavailable is why this build can't encode Opus: nil, it can.
func Unavailable() error { return nil }

// Version names the encoder and libopus in recordings' metadata and in the
// streams' comments.
func Version() string { return "switchtape-opus/1 " + C.GoString(C.opus_get_version_string()) }

// library is libopus's encoder. Its state is in Go's memory, so that there is
// nothing to free; libopus keeps no pointer in it but to its own constants.
type library struct {
	state  []uint64
	frames C.int // in a packet
	delay  int
}

func newCoder(c *config) (coder, error) {
	streams, coupled := c.streams()
	size := C.opus_multistream_encoder_get_size(C.int(streams), C.int(coupled))
	if size <= 0 {
		return nil, fmt.Errorf("opus: libopus has no encoder of %d streams", streams)
	}
	l := &library{state: make([]uint64, (size+7)/8), frames: C.int(c.rate / packetsPerSecond)}
	mapping := make([]C.uchar, c.channels)
	for i := range mapping {
		mapping[i] = C.uchar(i)
	}
	application := C.int(C.OPUS_APPLICATION_VOIP)
	if c.Application == Audio {
		application = C.OPUS_APPLICATION_AUDIO
	}
	err := check("init", C.opus_multistream_encoder_init(l.encoder(), C.opus_int32(c.rate), C.int(c.channels),
		C.int(streams), C.int(coupled), &mapping[0], application))
	return l, errors.Join(err, l.set(c, streams, coupled))
}

// set makes the encoder's settings. A pair of channels is never mixed down,
// which libopus otherwise does at low bitrates: they are different people.
func (l *library) set(c *config, streams, coupled int) error {
	signal, vbr := C.opus_int32(C.OPUS_SIGNAL_VOICE), C.opus_int32(1)
	if c.Application == Audio {
		signal = C.OPUS_AUTO
	}
	if c.CBR {
		vbr = 0
	}
	e := l.encoder()
	err := errors.Join(
		check("bitrate", C.setting(e, C.OPUS_SET_BITRATE_REQUEST, C.opus_int32(c.bitrate))),
		check("complexity", C.setting(e, C.OPUS_SET_COMPLEXITY_REQUEST, C.opus_int32(c.Complexity))),
		check("signal", C.setting(e, C.OPUS_SET_SIGNAL_REQUEST, signal)),
		check("VBR", C.setting(e, C.OPUS_SET_VBR_REQUEST, vbr)),
	)
	for i := range streams {
		channels := C.opus_int32(1)
		if i < coupled {
			channels = 2
		}
		err = errors.Join(err, check("channels", C.each_setting(e, C.int(i), C.OPUS_SET_FORCE_CHANNELS_REQUEST, channels)))
	}
	var delay C.opus_int32
	err = errors.Join(err, check("lookahead", C.get_lookahead(e, &delay)))
	l.delay = int(delay)
	return err
}

func (l *library) encoder() *C.OpusMSEncoder { return (*C.OpusMSEncoder)(unsafe.Pointer(&l.state[0])) }

func (l *library) lookahead() int { return l.delay }

func (l *library) encode(pcm []float32, out []byte) (int, error) {
	n := C.opus_multistream_encode_float(l.encoder(), (*C.float)(unsafe.Pointer(&pcm[0])), l.frames,
		(*C.uchar)(unsafe.Pointer(&out[0])), C.opus_int32(len(out)))
	if n < 0 {
		return 0, check("encode", n)
	}
	return int(n), nil
}

// check is the error for one of libopus's codes.
func check(what string, code C.int) error {
	if code >= 0 {
		return nil
	}
	return fmt.Errorf("opus: libopus: %s: %s", what, C.GoString(C.opus_strerror(code)))
}
