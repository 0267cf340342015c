package mp3

// Limits of the side information's fields.
const (
	maxPart23Bits = 4095 // part2_3_length has 12 bits
	maxQuantized  = 8191 + 15
)

// granuleInfo is the side information of one channel in one granule
// (11172-3, 2.4.1.7; 13818-3, 2.4.1.7).
type granuleInfo struct {
	part23Bits       int // scale factors and Huffman code
	bigValues        int // pairs
	count1End        int // line where zeros begin; not written
	globalGain       int
	scalefacCompress int
	blockType        int
	windowSwitching  bool // parsed; written for every block type but long
	mixed            bool
	tableSelect      [3]int
	subblockGain     [3]int
	region0Count     int
	region1Count     int
	preflag          int
	scalefacScale    int
	count1Table      int
}

// sideInfo is the side information of a frame.
type sideInfo struct {
	mainDataBegin int        // bytes
	scfsi         [2][4]bool // by channel
	granules      [2][2]granuleInfo
}

func (s *sideInfo) write(w *bitWriter, lsf, channels int) {
	if lsf == 1 {
		w.put(uint32(s.mainDataBegin), 8)
		w.put(0, uint(channels)) // private bits
	} else {
		w.put(uint32(s.mainDataBegin), 9)
		w.put(0, uint(7-2*channels))
		for ch := range channels {
			for _, share := range s.scfsi[ch] {
				w.put(bit(share), 1)
			}
		}
	}
	for gr := range 2 - lsf {
		for ch := range channels {
			s.granules[gr][ch].write(w, lsf)
		}
	}
}

func (g *granuleInfo) write(w *bitWriter, lsf int) {
	w.put(uint32(g.part23Bits), 12)
	w.put(uint32(g.bigValues), 9)
	w.put(uint32(g.globalGain), 8)
	w.put(uint32(g.scalefacCompress), uint(4+5*lsf))
	if g.blockType == blockLong {
		w.put(0, 1)
		for _, t := range g.tableSelect {
			w.put(uint32(t), 5)
		}
		w.put(uint32(g.region0Count), 4)
		w.put(uint32(g.region1Count), 3)
	} else {
		w.put(1, 1)
		w.put(uint32(g.blockType), 2)
		w.put(bit(g.mixed), 1)
		w.put(uint32(g.tableSelect[0]), 5)
		w.put(uint32(g.tableSelect[1]), 5)
		for _, s := range g.subblockGain {
			w.put(uint32(s), 3)
		}
	}
	if lsf == 0 {
		w.put(uint32(g.preflag), 1)
	}
	w.put(uint32(g.scalefacScale), 1)
	w.put(uint32(g.count1Table), 1)
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// parse reads the side information of a frame.
func (s *sideInfo) parse(r *bitReader, lsf, channels int) {
	*s = sideInfo{}
	if lsf == 1 {
		s.mainDataBegin = r.get(8)
		r.get(channels)
	} else {
		s.mainDataBegin = r.get(9)
		r.get(7 - 2*channels)
		for ch := range channels {
			for b := range s.scfsi[ch] {
				s.scfsi[ch][b] = r.get(1) == 1
			}
		}
	}
	for gr := range 2 - lsf {
		for ch := range channels {
			s.granules[gr][ch].parse(r, lsf)
		}
	}
}

func (g *granuleInfo) parse(r *bitReader, lsf int) {
	g.part23Bits = r.get(12)
	g.bigValues = r.get(9)
	g.globalGain = r.get(8)
	g.scalefacCompress = r.get(4 + 5*lsf)
	if r.get(1) == 0 {
		for i := range g.tableSelect {
			g.tableSelect[i] = r.get(5)
		}
		g.region0Count = r.get(4)
		g.region1Count = r.get(3)
	} else {
		g.windowSwitching = true
		g.blockType = r.get(2)
		g.mixed = r.get(1) == 1
		g.tableSelect[0] = r.get(5)
		g.tableSelect[1] = r.get(5)
		for i := range g.subblockGain {
			g.subblockGain[i] = r.get(3)
		}
	}
	if lsf == 0 {
		g.preflag = r.get(1)
	}
	g.scalefacScale = r.get(1)
	g.count1Table = r.get(1)
}
