package mp3

// encodeFrame turns the lines in e.frame into an MPEG frame.
func (e *Encoder) encodeFrame() error {
	midSide := e.config.Stereo == StereoJoint && e.config.channels == 2 && e.midSidePays()
	for gr := range e.config.granules() {
		if midSide {
			toMidSide(&e.frame[gr][0], &e.frame[gr][1])
		}
		for ch := range e.config.channels {
			s := &e.frame[gr][ch]
			s.prepare(e.rate.lines)
			e.shaper.shape(s)
		}
	}
	e.rate.setOffsets(&e.frame, midSide)
	h := e.fitFrame()
	if midSide {
		h.modeExt = 2
	}
	e.writeMain()
	e.writeHead(&h)
	e.framer.addFrame(e.head.buf, h.slotBytes())
	e.framer.addMainData(e.main.buf)
	e.framer.stuff(e.rate.reservoirBytes)
	e.mpeg++
	return e.framer.flush(false)
}

// fitFrame quantises the frame and returns a header with room for it.
func (e *Encoder) fitFrame() header {
	h := e.config.header(e.config.bitrateIndex)
	unused := e.framer.unused
	e.side.mainDataBegin = unused
	if e.config.Mode == CBR {
		h.padding = e.config.streamBytes(e.mpeg+1)-e.config.streamBytes(e.mpeg) > e.config.streamBytes(1)
		e.rate.fit(&e.frame, unused, h.slotBytes())
		return h
	}
	top := e.config.header(len(bitratesKbps[0]) - 1)
	slot := h.slotBytes()
	var bits int
	if e.config.Mode == VBR {
		bits = e.rate.fitQuality(&e.frame, e.config.VBRQuality, 8*(unused+top.slotBytes()))
	} else {
		bits = e.rate.fitAverage(&e.frame, slot, 8*(unused+top.slotBytes()))
	}
	for h.bitrateIndex = 1; 8*(unused+h.slotBytes()) < bits; {
		h.bitrateIndex++
	}
	if e.config.Mode == ABR {
		e.rate.spent(h.slotBytes() - slot)
	}
	return h
}

// writeMain fills e.main with the frame's main data, padded to a byte.
func (e *Encoder) writeMain() {
	e.main.reset()
	for gr := range e.config.granules() {
		for ch := range e.config.channels {
			s := &e.frame[gr][ch]
			before := e.main.bits()
			if !s.silent {
				writeScalefacs(&e.main, s, e.config.lsf())
				writeSpectrum(&e.main, &s.q, &s.x, &s.granuleInfo, e.config.bands())
			}
			s.part23Bits = e.main.bits() - before
			e.side.granules[gr][ch] = s.granuleInfo
		}
	}
	e.main.flush()
}

// writeHead fills e.head with the header, the CRC if wanted, and the side
// information.
func (e *Encoder) writeHead(h *header) {
	e.head.reset()
	for _, v := range h.bytes() {
		e.head.put(uint32(v), 8)
	}
	if h.protected {
		e.head.put(0, 16)
	}
	e.side.write(&e.head, e.config.lsf(), e.config.channels)
	e.head.flush()
	if h.protected {
		crc := crc16(crc16(0xffff, e.head.buf[2:4]), e.head.buf[6:])
		e.head.buf[4], e.head.buf[5] = byte(crc>>8), byte(crc)
	}
}
