//go:build !amd64 || purego

package mp3

const hasVector = false

func windowAVX(y *[64]float32, x *[512]float32, w *[8][64]float32) { window(y, x, w) }
