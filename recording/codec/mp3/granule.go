package mp3

// settleGranule fixes the block type of the granule before the newest block, by
// whether the newest granule wants short blocks, and completes the frame if it
// is its last granule. At the end there is no newer granule.
func (e *Encoder) settleGranule(last bool) error {
	newest := e.blocks - 1
	if !last {
		newest--
	}
	prev, cur := (newest+2)%3, newest%3
	for ch := range e.config.channels {
		c := &e.channel[ch]
		s := &e.frame[e.granule][ch]
		s.x = c.ahead.long
		if c.ahead.short {
			orderShort(&c.ahead.triple, &e.config.bands().short, &s.x)
		}
		s.granuleInfo = granuleInfo{}
		s.silent = c.ahead.silent
		c.wasShort = c.ahead.short
	}
	if last {
		for ch := range e.config.channels {
			e.channel[ch].ahead.short = false
		}
	} else {
		e.detectTransients()
	}
	for ch := range e.config.channels {
		c := &e.channel[ch]
		s := &e.frame[e.granule][ch]
		c.blockType = nextBlockType(c.blockType, c.wasShort, c.ahead.short)
		s.blockType = c.blockType
		switch {
		case s.silent || s.blockType == blockLong:
		case s.blockType == blockShort && c.wasShort: // ordered above
		case s.blockType == blockShort:
			mdctShort(&c.blocks[prev], &c.blocks[cur], &e.scratch)
			orderShort(&e.scratch, &e.config.bands().short, &s.x)
		default:
			mdctLong(&c.blocks[prev], &c.blocks[cur], s.blockType, &s.x)
		}
	}
	e.granule++
	if e.granule < e.config.granules() {
		return nil
	}
	e.granule = 0
	return e.encodeFrame()
}

// nextBlockType is the type of a granule by the one before it and by the wish
// for short blocks of itself and of the one after it (11172-3, figure C.7). A
// long granule between two short ones has no window of its own and is made
// short.
func nextBlockType(before int, short, shortNext bool) int {
	afterShort := before == blockShort || before == blockStart
	switch {
	case short, afterShort && shortNext:
		return blockShort
	case afterShort:
		return blockStop
	case shortNext:
		return blockStart
	}
	return blockLong
}
