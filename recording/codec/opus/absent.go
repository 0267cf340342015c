//go:build !opus || !cgo

package opus

// Unavailable is why this build can't encode Opus, a [*codec.UnsupportedError].
func Unavailable() error {
	return unsupported("in this build, which has no Opus encoder: build with -tags opus, cgo and libopus", "")
}

// Version names the encoder in recordings' metadata.
func Version() string { return "switchtape-opus/1 without libopus" }

func newCoder(*config) (coder, error) { return nil, Unavailable() }
