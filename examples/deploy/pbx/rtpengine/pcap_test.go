package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ports of rtpengine's, as in testdata/metadata.txt.
const (
	toCaller = 41000 // where the callee sends to
	toCallee = 41016 // where the caller sends to
)

// capture is a pcap that is written in a test.
type capture struct {
	bytes.Buffer
	ethernet, six bool
	order         binary.AppendByteOrder
}

func newCapture() *capture { return begun(&capture{order: binary.LittleEndian}) }

func begun(c *capture) *capture {
	link := uint32(linkRaw)
	if c.ethernet {
		link = linkEthernet
	}
	c.uint32(0xa1b2c3d4)
	c.Write(c.order.AppendUint16(c.order.AppendUint16(nil, 2), 4))
	for _, v := range []uint32{0, 0, 65535, link} {
		c.uint32(v)
	}
	return c
}

func (c *capture) uint32(v uint32) { c.Write(c.order.AppendUint32(nil, v)) }

// udp adds a datagram to a port, at a time after the beginning.
func (c *capture) udp(at time.Duration, port uint16, payload []byte) {
	length := uint16(len(payload) + 8)
	datagram := append([]byte{0x9c, 0x40, byte(port >> 8), byte(port), byte(length >> 8), byte(length), 0, 0}, payload...)
	header := make([]byte, 20)
	header[0], header[9] = 0x45, 17
	if c.six {
		header = make([]byte, 40)
		header[0], header[6] = 0x60, 17
	}
	if c.ethernet {
		header = append(make([]byte, 14), header...)
	}
	at += 1_796_092_174 * time.Second
	c.uint32(uint32(at / time.Second))
	c.uint32(uint32(at % time.Second / time.Microsecond))
	c.uint32(uint32(len(header) + len(datagram)))
	c.uint32(uint32(len(header) + len(datagram)))
	c.Write(header)
	c.Write(datagram)
}

// rtp adds an RTP packet.
func (c *capture) rtp(at time.Duration, port uint16, p rtpPacket) {
	b := []byte{0x80, p.payloadType}
	b = binary.BigEndian.AppendUint16(b, p.sequence)
	b = binary.BigEndian.AppendUint32(b, p.timestamp)
	b = binary.BigEndian.AppendUint32(b, p.ssrc)
	c.udp(at, port, append(b, p.payload...))
}

func TestPcapForms(t *testing.T) {
	for name, c := range map[string]*capture{
		"bare IPv4":        {order: binary.LittleEndian},
		"Ethernet":         {order: binary.LittleEndian, ethernet: true},
		"IPv6, big-endian": {order: binary.BigEndian, six: true},
	} {
		t.Run(name, func(t *testing.T) {
			begun(c).udp(1500*time.Millisecond, toCallee, []byte("one"))
			c.udp(2*time.Second, toCaller, nil)
			r, err := newPcapReader(&c.Buffer)
			require.NoError(t, err)
			one, err := r.next()
			require.NoError(t, err)
			assert.Equal(t, "one", string(one.payload))
			assert.EqualValues(t, toCallee, one.port)
			two, err := r.next()
			require.NoError(t, err)
			assert.Empty(t, two.payload)
			assert.Equal(t, 500*time.Millisecond, two.at-one.at)
			_, err = r.next()
			assert.Equal(t, io.EOF, err)
		})
	}
}

// TestCutPcap: wherever a file breaks off, what was whole before is read, and it is said.
func TestCutPcap(t *testing.T) {
	c := newCapture()
	for range 3 {
		c.udp(0, toCallee, make([]byte, 172))
	}
	whole := c.Bytes()
	each := (len(whole) - 24) / 3
	for n := range whole {
		r, err := newPcapReader(bytes.NewReader(whole[:n]))
		if n < 24 {
			require.ErrorIs(t, err, errDamaged)
			continue
		}
		require.NoError(t, err)
		packets := 0
		for ; err == nil; packets++ {
			_, err = r.next()
		}
		assert.Equal(t, (n-24)/each, packets-1, n)
		if (n-24)%each == 0 {
			assert.Equal(t, io.EOF, err)
		} else {
			assert.ErrorIs(t, err, errDamaged)
		}
	}
	binary.LittleEndian.PutUint32(whole[24+each+8:], 1<<31)
	r, err := newPcapReader(bytes.NewReader(whole))
	require.NoError(t, err)
	_, err = r.next()
	require.NoError(t, err)
	_, err = r.next()
	assert.ErrorIs(t, err, errDamaged)
}

func TestRTP(t *testing.T) {
	full := []byte{
		0xb1, 0x80, 0x12, 0x34, 0, 0, 0, 7, 0, 0, 0, 9, // padding, extension, one CSRC, marker
		1, 1, 1, 1, 0xbe, 0xde, 0, 1, 2, 2, 2, 2, 'h', 'i', 0, 0, 3,
	}
	p, ok := parseRTP(full)
	require.True(t, ok)
	assert.Equal(t, rtpPacket{payloadType: 0, sequence: 0x1234, timestamp: 7, ssrc: 9, payload: []byte("hi")}, p)
	for n := range full {
		if q, ok := parseRTP(full[:n]); ok {
			assert.Less(t, len(q.payload), n)
		}
	}
	for name, b := range map[string][]byte{
		"RTCP": {0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 9}, "STUN": {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 9},
		"all padding": {0xa0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9}, "too much padding": {0xa0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 14},
	} {
		_, ok := parseRTP(b)
		assert.False(t, ok, name)
	}
}

func FuzzPcap(f *testing.F) {
	c := newCapture()
	c.rtp(0, toCallee, rtpPacket{payload: make([]byte, 160)})
	f.Add(c.Bytes())
	e := begun(&capture{order: binary.BigEndian, ethernet: true, six: true})
	e.rtp(0, toCallee, rtpPacket{payload: make([]byte, 160)})
	f.Add(e.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := newPcapReader(bytes.NewReader(file))
		total := 0
		for err == nil {
			var d datagram
			if d, err = r.next(); err == nil {
				p, _ := parseRTP(d.payload)
				total += len(p.payload)
			}
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, errDamaged) {
			t.Fatalf("neither its end nor damage: %v", err)
		}
		if total > len(file) {
			t.Fatalf("%d bytes of a file of %d", total, len(file))
		}
	})
}
