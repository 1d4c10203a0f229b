package scaledjpeg

import "math/bits"

// selected is a component in a scan.
type selected struct {
	*component
	dc, ac *huffman
	// last is the DC coefficient of the block before.
	last int32
}

// scan is what a scan's header says (section B.2.3).
type scan struct {
	components []selected
	// first and last are the zig-zag indices of its coefficients.
	first, last int
	// high and low are its successive approximation's.
	high, low uint8
}

// scan reads a scan's header, and the scan.
func (d *decoder) scan() error {
	if d.scans++; d.scans > MaxScans {
		return unsupported("it has more than %d scans", MaxScans)
	}
	s, err := d.scanHeader()
	if err != nil {
		return err
	}
	decode := d.chooseDecoder(s)
	if decode == nil {
		return damaged("a scan uses a table that is missing")
	}
	whole := false // of the first component, and so a part of the picture
	for i := range s.components {
		c := s.components[i].component
		whole = whole || c == &d.components[0] && c.pix == nil
		if err := d.prepare(c); err != nil {
			return err
		}
	}
	d.pending, d.starved, d.eobRun = pending{}, false, 0
	there, mcus := 0, 0
	if len(s.components) == 1 {
		there, mcus = d.single(s, decode)
	} else {
		there, mcus = d.interleaved(s, decode)
	}
	if whole && d.err == nil && 2*there < mcus {
		return damaged("less than half of its picture is there")
	}
	return d.err
}

func (d *decoder) scanHeader() (*scan, error) {
	if len(d.components) == 0 {
		return nil, damaged("a scan is before the frame")
	}
	s := &scan{last: 63}
	count := int(d.u8())
	if count < 1 || count > len(d.components) {
		return nil, damaged("a scan has %d components", count)
	}
	perMCU := 0
	for range count {
		id, tables := d.u8(), d.u8()
		c := d.componentOf(id)
		if c == nil || tables>>4 > 3 || tables&15 > 3 {
			return nil, damaged("a scan has component %d with tables %#x", id, tables)
		}
		for i := range s.components {
			if s.components[i].component == c {
				return nil, damaged("a scan has component %d twice", id)
			}
		}
		perMCU += c.h * c.v
		s.components = append(s.components, selected{component: c, dc: d.dc[tables>>4], ac: d.ac[tables&15]})
	}
	if count > 1 && perMCU > 10 {
		return nil, damaged("a scan has %d blocks in an MCU", perMCU)
	}
	first, last, approximation := int(d.u8()), int(d.u8()), d.u8()
	if d.err != nil || d.left != 0 {
		return nil, damaged("a scan's header has a wrong length")
	}
	if !d.progressive {
		return s, nil // whose values are fixed
	}
	s.first, s.last, s.high, s.low = first, last, approximation>>4, approximation&15
	if s.last > 63 || s.first > s.last || s.first == 0 && s.last != 0 || s.first > 0 && count > 1 {
		return nil, damaged("a scan has coefficients %d to %d of %d components", first, last, count)
	}
	if s.low > 13 || s.high != 0 && s.high != s.low+1 {
		return nil, damaged("a scan refines bit %d to %d", s.high, s.low)
	}
	return s, nil
}

func (d *decoder) componentOf(id uint8) *component {
	for i := range d.components {
		if d.components[i].id == id {
			return &d.components[i]
		}
	}
	return nil
}

// blockDecoder decodes one block of a component.
type blockDecoder func(s *scan, c *selected, index int)

// chooseDecoder returns what decodes the blocks of a scan, or nil where a table
// is missing.
func (d *decoder) chooseDecoder(s *scan) blockDecoder {
	needDC, needAC, decode := true, true, d.sequential
	if d.progressive {
		needDC, needAC = s.first == 0 && s.high == 0, s.first > 0
		switch {
		case needDC:
			decode = d.dcFirst
		case s.first == 0:
			decode = d.dcRefine
		case s.high == 0:
			decode = d.acFirst
		default:
			decode = d.acRefine
		}
	}
	for _, c := range s.components {
		if needDC && c.dc == nil || needAC && c.ac == nil {
			return nil
		}
	}
	return decode
}

// prepare makes room for a component's first scan.
func (d *decoder) prepare(c *component) error {
	if c.pix == nil {
		d.makeRoom(c)
	}
	return d.setDequantize(c)
}

func (d *decoder) makeRoom(c *component) {
	wide, high := d.points(c, d.n)
	c.kept, c.idct = wide*high, newIDCT(wide, high)
	for zig, natural := range unzig {
		c.slot[zig] = -1
		if x, y := int(natural%8), int(natural/8); x < wide && y < high {
			c.slot[zig] = int8(y*wide + x)
		}
	}
	blocks := c.stride * c.rows
	c.pix = make([]uint8, blocks*c.kept)
	if d.progressive {
		c.coefficients = make([]int16, blocks*c.kept)
		c.nonzero = make([]uint64, blocks)
	}
}

func (d *decoder) setDequantize(c *component) error {
	table := d.quantity[c.quantity]
	if table == nil {
		return damaged("quantization table %d is missing", c.quantity)
	}
	for zig, slot := range c.slot {
		if slot >= 0 {
			c.dequantize[slot] = float32(table[zig])
		}
	}
	return nil
}

// single decodes a scan of one component, without the blocks that only fill up
// MCUs. It returns how many MCUs, blocks here, have data, and how many there are.
func (d *decoder) single(s *scan, decode blockDecoder) (there, mcus int) {
	c := &s.components[0]
	for y := range c.high {
		for x := range c.wide {
			d.betweenMCUs(s, mcus)
			if mcus++; d.starved {
				d.blank(c.component, y*c.stride+x)
				continue
			}
			decode(s, c, y*c.stride+x)
			if d.endMCU() {
				there++
			}
			if d.err != nil {
				return there, mcus
			}
		}
	}
	return there, mcus
}

// interleaved decodes a scan of several components, and returns what single
// does.
func (d *decoder) interleaved(s *scan, decode blockDecoder) (there, mcus int) {
	for mcu := range d.across * d.down {
		d.betweenMCUs(s, mcu)
		starved := d.starved
		for i := range s.components {
			c := &s.components[i]
			corner := mcu/d.across*c.v*c.stride + mcu%d.across*c.h
			for y := range c.v {
				for x := range c.h {
					if starved {
						d.blank(c.component, corner+y*c.stride+x)
						continue
					}
					decode(s, c, corner+y*c.stride+x)
				}
			}
		}
		if !starved && d.endMCU() {
			there++
		}
		if d.err != nil {
			break
		}
	}
	return there, d.across * d.down
}

// endMCU reports whether there was data for all of an MCU.
func (d *decoder) endMCU() bool {
	if d.count < 0 {
		d.starved = true
	}
	return !d.starved
}

// blank makes the pixels of a block that has no data.
func (d *decoder) blank(c *component, index int) {
	if !d.progressive {
		clear(d.block[:c.kept])
		d.reconstruct(c, d.block[:c.kept], index)
	}
}

// betweenMCUs reads a restart marker where there is one before an MCU.
func (d *decoder) betweenMCUs(s *scan, mcu int) {
	if d.restart == 0 || mcu == 0 || mcu%d.restart != 0 {
		return
	}
	if d.restartAt(rst0 + uint8((mcu/d.restart-1)%8)) {
		d.starved = false
	}
	d.eobRun = 0
	for i := range s.components {
		s.components[i].last = 0
	}
}

// restartAt leaves out what is before a restart marker, and reports whether data
// for the next MCUs follows. Where another marker is met it decides as libjpeg
// does (its jpeg_resync_to_restart): one of the two before is late, one of the
// two behind says that the MCUs between were lost, and any other restart marker
// is a wrong number.
func (d *decoder) restartAt(want uint8) bool {
	for {
		marker := d.nextMarker()
		if d.err == errCut {
			d.err, marker = nil, eoi
		}
		if d.err != nil {
			return false
		}
		restart, ahead := rst0 <= marker && marker < soi, (marker-want)%8
		switch {
		case marker < sof0, restart && ahead >= 6:
			continue
		case !restart, ahead == 1, ahead == 2:
			d.marker = marker
			return false
		default:
			return true
		}
	}
}

// sequential decodes a block whole (section F.2.2).
func (d *decoder) sequential(_ *scan, c *selected, index int) {
	clear(d.block[:c.kept])
	c.last += d.value(d.symbol(c.dc) & 15)
	d.block[0] = int16(c.last)
	for zig := 1; zig < 64; zig++ {
		symbol := d.symbol(c.ac)
		run, length := int(symbol>>4), symbol&15
		if length == 0 {
			if run < 15 {
				break
			}
			zig += 15
			continue
		}
		value := d.value(length)
		zig = min(zig+run, 63) // more is damaged, and the last one for libjpeg
		if slot := c.slot[zig]; slot >= 0 {
			d.block[slot] = int16(value)
		}
	}
	d.reconstruct(c.component, d.block[:c.kept], index)
}

// dcFirst decodes the first bits of a DC coefficient (section G.1.2.1).
func (d *decoder) dcFirst(s *scan, c *selected, index int) {
	c.last += d.value(d.symbol(c.dc) & 15)
	c.coefficients[index*c.kept] = int16(c.last << s.low)
}

// dcRefine decodes one more bit of a DC coefficient (section G.1.2.1).
func (d *decoder) dcRefine(s *scan, c *selected, index int) {
	c.coefficients[index*c.kept] |= int16(d.read(1) << s.low)
}

// acFirst decodes the first bits of some AC coefficients (section G.1.2.2).
func (d *decoder) acFirst(s *scan, c *selected, index int) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	block := c.coefficients[index*c.kept:][:c.kept]
	nonzero := c.nonzero[index]
	for zig := s.first; zig <= s.last; zig++ {
		symbol := d.symbol(c.ac)
		run, length := int(symbol>>4), symbol&15
		if length == 0 {
			if run < 15 {
				d.eobRun = d.readRun(uint8(run)) - 1
				break
			}
			zig += 15
			continue
		}
		value := d.value(length)
		zig = min(zig+run, 63)
		nonzero |= 1 << zig
		if slot := c.slot[zig]; slot >= 0 {
			block[slot] = int16(value << s.low)
		}
	}
	c.nonzero[index] = nonzero
}

// readRun returns how many blocks, with the present one, have nothing more.
func (d *decoder) readRun(length uint8) int { return 1<<length + int(d.read(length)) }

// acRefine decodes one more bit of some AC coefficients (section G.1.2.3).
func (d *decoder) acRefine(s *scan, c *selected, index int) {
	block := c.coefficients[index*c.kept:][:c.kept]
	nonzero := c.nonzero[index]
	zig := s.first
	for d.eobRun == 0 && zig <= s.last {
		symbol := d.symbol(c.ac)
		run, length := int(symbol>>4), symbol&15
		value := int16(0)
		switch {
		case length > 0: // and 1, unless it is damaged
			value = 1 << s.low
			if d.read(1) == 0 {
				value = -value
			}
		case run < 15:
			d.eobRun = d.readRun(uint8(run))
			continue
		}
		// Behind as many zeros as run says comes the new coefficient. What is
		// not zero on the way is refined.
		for zig <= s.last {
			if nonzero>>zig&1 == 0 {
				if run == 0 {
					break
				}
				run--
			} else {
				d.refine(c.component, block, zig, s.low)
			}
			zig++
		}
		if value != 0 && zig <= s.last {
			nonzero |= 1 << zig
			if slot := c.slot[zig]; slot >= 0 {
				block[slot] = value
			}
		}
		zig++
	}
	if d.eobRun > 0 {
		d.eobRun--
		for rest := nonzero >> zig << zig & (1<<s.last<<1 - 1); rest != 0; rest &= rest - 1 {
			d.refine(c.component, block, bits.TrailingZeros64(rest), s.low)
		}
	}
	c.nonzero[index] = nonzero
}

// refine reads one more bit of a coefficient that is not zero.
func (d *decoder) refine(c *component, block []int16, zig int, low uint8) {
	bit := int16(d.read(1)) << low
	slot := c.slot[zig]
	if slot < 0 {
		return
	}
	if block[slot] < 0 {
		bit = -bit
	}
	block[slot] += bit
}

// finish makes the pixels of a progressive file, and those of a component that
// is missing.
func (d *decoder) finish() error {
	if d.components[0].pix == nil {
		return damaged("component %d is missing", d.components[0].id)
	}
	for i := range d.components {
		c := &d.components[i]
		missing := c.pix == nil
		if missing {
			d.makeRoom(c)
		}
		if !missing && d.progressive {
			if err := d.setDequantize(c); err != nil {
				return err
			}
		}
		if missing || d.progressive {
			for index := range c.stride * c.rows {
				block := d.block[:c.kept]
				if d.progressive {
					block = c.coefficients[index*c.kept:][:c.kept]
				} else {
					clear(block)
				}
				d.reconstruct(c, block, index)
			}
		}
	}
	return nil
}

// reconstruct makes the pixels of a block.
func (d *decoder) reconstruct(c *component, block []int16, index int) {
	stride := c.stride * c.idct.wide
	c.idct.pixels(c.pix[index/c.stride*c.idct.high*stride+index%c.stride*c.idct.wide:], stride, block, &c.dequantize)
}
