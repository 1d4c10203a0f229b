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
	for i := range s.components {
		if err := d.prepare(s.components[i].component); err != nil {
			return err
		}
	}
	d.pending, d.eobRun = pending{}, 0
	if len(s.components) == 1 {
		d.single(s, decode)
	} else {
		d.interleaved(s, decode)
	}
	if d.err == nil && d.count < 0 {
		d.fail("a scan is cut off")
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
	if err := d.setDequantize(c); err != nil || c.pix != nil {
		return err
	}
	blocks := c.stride * c.rows
	c.pix = make([]uint8, blocks*d.n*d.n)
	if d.progressive {
		c.coefficients = make([]int16, blocks*d.n*d.n)
		c.nonzero = make([]uint64, blocks)
	}
	return nil
}

func (d *decoder) setDequantize(c *component) error {
	table := d.quantity[c.quantity]
	if table == nil {
		return damaged("quantization table %d is missing", c.quantity)
	}
	for zig, slot := range d.slot {
		if slot >= 0 {
			c.dequantize[slot] = float32(table[zig])
		}
	}
	return nil
}

// single decodes a scan of one component, without the blocks that only fill up
// MCUs.
func (d *decoder) single(s *scan, decode blockDecoder) {
	c := &s.components[0]
	mcu := 0
	for y := range c.high {
		for x := range c.wide {
			d.betweenMCUs(s, mcu)
			decode(s, c, y*c.stride+x)
			if d.err != nil {
				return
			}
			mcu++
		}
	}
}

// interleaved decodes a scan of several components.
func (d *decoder) interleaved(s *scan, decode blockDecoder) {
	first := &d.components[0]
	across, down := first.stride/first.h, first.rows/first.v
	for mcu := range across * down {
		d.betweenMCUs(s, mcu)
		for i := range s.components {
			c := &s.components[i]
			corner := mcu/across*c.v*c.stride + mcu%across*c.h
			for y := range c.v {
				for x := range c.h {
					decode(s, c, corner+y*c.stride+x)
				}
			}
		}
		if d.err != nil {
			return
		}
	}
}

// betweenMCUs reads a restart marker where there is one before an MCU.
func (d *decoder) betweenMCUs(s *scan, mcu int) {
	if d.restart == 0 || mcu == 0 || mcu%d.restart != 0 {
		return
	}
	if d.count < 0 {
		d.fail("a scan is cut off")
		return
	}
	want := rst0 + uint8((mcu/d.restart-1)%8)
	if marker := d.nextMarker(); marker != want && d.err == nil {
		d.fail("marker %#x, where restart marker %#x belongs", marker, want)
	}
	d.eobRun = 0
	for i := range s.components {
		s.components[i].last = 0
	}
}

// sequential decodes a block whole (section F.2.2).
func (d *decoder) sequential(_ *scan, c *selected, index int) {
	clear(d.block[:d.n*d.n])
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
		if zig += run; zig > 63 {
			break
		}
		if slot := d.slot[zig]; slot >= 0 {
			d.block[slot] = int16(value)
		}
	}
	d.reconstruct(c.component, d.block[:d.n*d.n], index)
}

// dcFirst decodes the first bits of a DC coefficient (section G.1.2.1).
func (d *decoder) dcFirst(s *scan, c *selected, index int) {
	c.last += d.value(d.symbol(c.dc) & 15)
	c.coefficients[index*d.n*d.n] = int16(c.last << s.low)
}

// dcRefine decodes one more bit of a DC coefficient (section G.1.2.1).
func (d *decoder) dcRefine(s *scan, c *selected, index int) {
	c.coefficients[index*d.n*d.n] |= int16(d.read(1) << s.low)
}

// acFirst decodes the first bits of some AC coefficients (section G.1.2.2).
func (d *decoder) acFirst(s *scan, c *selected, index int) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	block := c.coefficients[index*d.n*d.n:][:d.n*d.n]
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
		if zig += run; zig > s.last {
			break
		}
		nonzero |= 1 << zig
		if slot := d.slot[zig]; slot >= 0 {
			block[slot] = int16(value << s.low)
		}
	}
	c.nonzero[index] = nonzero
}

// readRun returns how many blocks, with the present one, have nothing more.
func (d *decoder) readRun(length uint8) int { return 1<<length + int(d.read(length)) }

// acRefine decodes one more bit of some AC coefficients (section G.1.2.3).
func (d *decoder) acRefine(s *scan, c *selected, index int) {
	block := c.coefficients[index*d.n*d.n:][:d.n*d.n]
	nonzero := c.nonzero[index]
	zig := s.first
	for d.eobRun == 0 && zig <= s.last {
		symbol := d.symbol(c.ac)
		run, length := int(symbol>>4), symbol&15
		value := int16(0)
		switch {
		case length == 1:
			value = 1 << s.low
			if d.read(1) == 0 {
				value = -value
			}
		case length > 1:
			d.fail("a refined coefficient has %d bits", length)
			return
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
				d.refine(block, zig, s.low)
			}
			zig++
		}
		if value != 0 && zig <= s.last {
			nonzero |= 1 << zig
			if slot := d.slot[zig]; slot >= 0 {
				block[slot] = value
			}
		}
		zig++
	}
	if d.eobRun > 0 {
		d.eobRun--
		for rest := nonzero >> zig << zig & (1<<s.last<<1 - 1); rest != 0; rest &= rest - 1 {
			d.refine(block, bits.TrailingZeros64(rest), s.low)
		}
	}
	c.nonzero[index] = nonzero
}

// refine reads one more bit of a coefficient that is not zero.
func (d *decoder) refine(block []int16, zig int, low uint8) {
	bit := int16(d.read(1)) << low
	slot := d.slot[zig]
	if slot < 0 {
		return
	}
	if block[slot] < 0 {
		bit = -bit
	}
	block[slot] += bit
}

// finish makes the pixels of a progressive file.
func (d *decoder) finish() error {
	for i := range d.components {
		c := &d.components[i]
		if c.pix == nil {
			return damaged("component %d is missing", c.id)
		}
		if !d.progressive {
			continue
		}
		if err := d.setDequantize(c); err != nil {
			return err
		}
		for index := range c.nonzero {
			d.reconstruct(c, c.coefficients[index*d.n*d.n:][:d.n*d.n], index)
		}
	}
	return nil
}

// reconstruct makes the pixels of a block.
func (d *decoder) reconstruct(c *component, block []int16, index int) {
	stride := c.stride * d.n
	d.idct.pixels(c.pix[index/c.stride*d.n*stride+index%c.stride*d.n:], stride, block, &c.dequantize)
}
