package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The link types of the two formats in which rtpengine writes (tcpdump.org, LINKTYPE_).
const (
	linkEthernet = 1
	linkRawBSD   = 12
	linkRaw      = 101
)

const (
	ethernetHeader = 14
	// maxCapture is the most that is taken for one packet: what claims to be longer is
	// damage, as no datagram is.
	maxCapture = 65535 + ethernetHeader
)

// errDamaged is wrapped by what is said of a file that can't be read on. What was read
// before is good.
var errDamaged = errors.New("damaged pcap")

// datagram is a UDP datagram as it was received.
type datagram struct {
	at      time.Duration // since 1970
	port    uint16        // to which it was sent
	payload []byte        // until the next is read
}

// pcapReader reads the UDP datagrams of a pcap file in their order. It holds one packet.
// The format is that of draft-ietf-opsawg-pcap, in either byte order, with microseconds
// or nanoseconds.
type pcapReader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	unit  time.Duration // of a packet's fraction of a second
	skip  int           // bytes in front of IP
	read  int64         // bytes of whole packets
	buf   []byte
	// foreign counts packets that are no UDP datagrams, or not whole ones.
	foreign int
}

// newPcapReader reads the header. The error wraps errDamaged if there is none.
func newPcapReader(r io.Reader) (*pcapReader, error) {
	p := &pcapReader{r: bufio.NewReaderSize(r, 1<<16), buf: make([]byte, maxCapture)}
	head := p.buf[:24]
	if _, err := io.ReadFull(p.r, head); err != nil {
		return nil, cut(err, "its header isn't whole")
	}
	switch binary.LittleEndian.Uint32(head) {
	case 0xa1b2c3d4:
		p.order, p.unit = binary.LittleEndian, time.Microsecond
	case 0xd4c3b2a1:
		p.order, p.unit = binary.BigEndian, time.Microsecond
	case 0xa1b23c4d:
		p.order, p.unit = binary.LittleEndian, time.Nanosecond
	case 0x4d3cb2a1:
		p.order, p.unit = binary.BigEndian, time.Nanosecond
	default:
		return nil, fmt.Errorf("%w: it begins with %x", errDamaged, head[:4])
	}
	switch link := p.order.Uint32(head[20:]) & 0xffff; link {
	case linkEthernet:
		p.skip = ethernetHeader
	case linkRaw, linkRawBSD:
	default:
		return nil, fmt.Errorf("%w: its link type is %d, neither Ethernet nor bare IP", errDamaged, link)
	}
	p.read = int64(len(head))
	return p, nil
}

// next is the next UDP datagram. The error is io.EOF at the end of a whole file; it wraps
// errDamaged where a file breaks off or goes on with what can't be a packet.
func (p *pcapReader) next() (datagram, error) {
	for {
		var head [16]byte
		if _, err := io.ReadFull(p.r, head[:]); errors.Is(err, io.EOF) {
			return datagram{}, io.EOF
		} else if err != nil {
			return datagram{}, cut(err, fmt.Sprintf("it breaks off in a packet after %d bytes", p.read))
		}
		captured := p.order.Uint32(head[8:])
		if captured > maxCapture {
			return datagram{}, fmt.Errorf("%w: a packet of %d bytes after %d bytes", errDamaged, captured, p.read)
		}
		packet := p.buf[:captured]
		if _, err := io.ReadFull(p.r, packet); err != nil {
			return datagram{}, cut(err, fmt.Sprintf("it breaks off in a packet after %d bytes", p.read))
		}
		p.read += int64(len(head)) + int64(captured)
		at := time.Duration(p.order.Uint32(head[:]))*time.Second + time.Duration(p.order.Uint32(head[4:]))*p.unit
		if port, payload, ok := udp(packet, p.skip); ok {
			return datagram{at: at, port: port, payload: payload}, nil
		}
		p.foreign++
	}
}

// cut is errDamaged for a file that ends too early, and the error of the disk else.
func cut(err error, how string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %s", errDamaged, how)
	}
	return err
}

// udp is the destination port and the payload of a UDP datagram (RFC 768) in IPv4 (RFC
// 791) or, without extension headers, IPv6 (RFC 8200).
func udp(packet []byte, skip int) (port uint16, payload []byte, ok bool) {
	const protocolUDP, udpHeader = 17, 8
	if len(packet) <= skip {
		return 0, nil, false
	}
	packet = packet[skip:]
	var header int
	switch {
	case packet[0]>>4 == 4 && len(packet) >= 20 && packet[9] == protocolUDP:
		header = int(packet[0]&15) * 4
		if header < 20 {
			return 0, nil, false
		}
	case packet[0]>>4 == 6 && len(packet) >= 40 && packet[6] == protocolUDP:
		header = 40
	default:
		return 0, nil, false
	}
	if len(packet) < header+udpHeader {
		return 0, nil, false
	}
	packet = packet[header:]
	length := int(binary.BigEndian.Uint16(packet[4:]))
	if length < udpHeader || length > len(packet) {
		return 0, nil, false // cut by the snapshot length: half a packet would be half a sound
	}
	return binary.BigEndian.Uint16(packet[2:]), packet[udpHeader:length], true
}
