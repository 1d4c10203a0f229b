package scaledjpeg

// lookup is how many bits of a code are looked up at once.
const lookup = 9

// huffman is a table of codes (section C).
type huffman struct {
	// short has, for the next bits, the length of a code of at most lookup bits
	// in its upper byte and the symbol in its lower; 0 where the code is longer.
	short [1 << lookup]uint16
	// Of the codes of a length, the last one is limit - 1, and that of a code is
	// at its value + offset of symbols.
	limit   [17]int32
	offset  [17]int32
	symbols []uint8
}

// huffmanTables reads tables (section B.2.4.2).
func (d *decoder) huffmanTables() error {
	for d.left > 0 && d.err == nil {
		b := d.u8()
		if b>>4 > 1 || b&15 > 3 {
			return damaged("Huffman table %#x", b)
		}
		var counts [17]int
		total := 0
		for length := 1; length <= 16; length++ {
			counts[length] = int(d.u8())
			total += counts[length]
		}
		if total == 0 || total > 256 {
			return damaged("a Huffman table has %d codes", total)
		}
		h := &huffman{symbols: d.bytes(total)}
		if len(h.symbols) < total {
			return damaged("a Huffman table is too short")
		}
		if !h.build(&counts) {
			return damaged("a Huffman table has more codes than there are")
		}
		if b>>4 == 0 {
			d.dc[b&15] = h
		} else {
			d.ac[b&15] = h
		}
	}
	return d.err
}

// build fills the table, of which counts has how many codes have a length. It
// returns false where there are too many.
func (h *huffman) build(counts *[17]int) bool {
	code, symbol := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.offset[length] = symbol - code
		for range counts[length] {
			if code >= 1<<length {
				return false
			}
			if length <= lookup {
				first := code << (lookup - length)
				for i := range int32(1) << (lookup - length) {
					h.short[first+i] = uint16(length)<<8 | uint16(h.symbols[symbol])
				}
			}
			code++
			symbol++
		}
		h.limit[length] = code
		code <<= 1
	}
	return true
}

// symbol returns the next symbol. At least 16 bits are left for what follows.
func (d *input) symbol(h *huffman) uint8 {
	if d.count < 32 {
		d.fillBits()
	}
	if entry := h.short[d.ahead>>(64-lookup)]; entry != 0 {
		length := entry >> 8
		d.ahead <<= length
		d.count -= int(length)
		return uint8(entry)
	}
	return d.longSymbol(h)
}

func (d *input) longSymbol(h *huffman) uint8 {
	for length := lookup + 1; length <= 16; length++ {
		if code := int32(d.ahead >> (64 - length)); code < h.limit[length] {
			d.ahead <<= length
			d.count -= length
			return h.symbols[code+h.offset[length]]
		}
	}
	// It is in no table, and so damaged: libjpeg goes on like this.
	d.ahead <<= 17
	d.count -= 17
	return 0
}

// value returns the next number of length bits, 16 at most, behind a symbol
// (section F.2.2.1).
func (d *input) value(length uint8) int32 {
	value := int32(d.ahead >> 48 >> (16 - length))
	d.ahead <<= length
	d.count -= int(length)
	if value < 1<<length>>1 {
		value += -1<<length + 1
	}
	return value
}
