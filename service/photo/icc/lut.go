package icc

import "encoding/binary"

// lut is a way by tables from a picture's colours to XYZ or Lab: a curve for
// each, a grid of some points between which it interpolates, and more curves.
type lut struct {
	// inputs has, for each value of a colour, where on the grid it is.
	inputs [][256]float32
	grid   []int
	// nodes has three values for each point of the grid, of width bytes.
	nodes []byte
	width int
	// middle and offset are a matrix, between two sets of curves. They and m are
	// nil where there are none.
	m      []func(float64) float64
	middle *matrix
	offset [3]float64
	last   []func(float64) float64
	pcs    func(v [3]float64) (xyz [3]float64)
}

// parseLUT reads an A2B tag of count colours (sections 10.10, 10.11 and 10.12).
func parseLUT(b []byte, count int, pcs string) (*lut, bool) {
	if len(b) < 32 || int(b[8]) != count || b[9] != 3 {
		return nil, false
	}
	l := &lut{width: 1}
	switch kind := string(b[:4]); kind {
	case "mft1", "mft2":
		if !l.parseTables(b, count, kind == "mft2") {
			return nil, false
		}
	case "mAB ":
		if !l.parseElements(b, count) {
			return nil, false
		}
	default:
		return nil, false
	}
	switch {
	case pcs == pcsXYZ:
		l.pcs = func(v [3]float64) [3]float64 {
			const most = 1 + 32767.0/32768
			return [3]float64{v[0] * most, v[1] * most, v[2] * most}
		}
	case pcs == "Lab " && string(b[:4]) == "mft2":
		const scale = 65535.0 / 65280 // as version 2 has it
		l.pcs = func(v [3]float64) [3]float64 {
			return labToXYZ(100*scale*v[0], 255*scale*v[1]-128, 255*scale*v[2]-128)
		}
	case pcs == "Lab ":
		l.pcs = func(v [3]float64) [3]float64 { return labToXYZ(100*v[0], 255*v[1]-128, 255*v[2]-128) }
	default:
		return nil, false
	}
	return l, true
}

// parseTables reads lut8Type and lut16Type.
func (l *lut) parseTables(b []byte, count int, wide bool) bool {
	grid, data := int(b[10]), b[48:]
	entriesIn, entriesOut := 256, 256
	if wide {
		if len(b) < 52 {
			return false
		}
		entriesIn, entriesOut = int(binary.BigEndian.Uint16(b[48:])), int(binary.BigEndian.Uint16(b[50:]))
		data, l.width = b[52:], 2
	}
	points := 3
	for range count {
		l.grid = append(l.grid, grid)
		if points *= grid; points > MaxSize {
			return false
		}
	}
	if grid < 2 || entriesIn < 2 || entriesOut < 2 || len(data) < l.width*(count*entriesIn+points+3*entriesOut) {
		return false
	}
	take := func(entries int) []byte {
		taken := data[:entries*l.width]
		data = data[len(taken):]
		return taken
	}
	for range count {
		l.addInput(tableCurve(take(entriesIn), l.width), grid)
	}
	l.nodes = take(points)
	for range 3 {
		l.last = append(l.last, tableCurve(take(entriesOut), l.width))
	}
	return true
}

// parseElements reads lutAToBType.
func (l *lut) parseElements(b []byte, count int) bool {
	part := func(at int) []byte {
		offset := binary.BigEndian.Uint32(b[at:])
		if offset == 0 || int64(offset) > int64(len(b)) {
			return nil
		}
		return b[offset:]
	}
	last, middle, m, nodes, first := part(12), part(16), part(20), part(24), part(28)
	var ok bool
	if l.last, ok = parseCurves(last, 3); !ok {
		return false
	}
	if m != nil && middle != nil {
		if l.m, ok = parseCurves(m, 3); !ok || len(middle) < 48 {
			return false
		}
		l.middle = &matrix{}
		for i := range 9 {
			l.middle[i/3][i%3] = fixed(middle[4*i:])
		}
		for i := range l.offset {
			l.offset[i] = fixed(middle[36+4*i:])
		}
	}
	curves, ok := parseCurves(first, count)
	if !ok || len(nodes) < 20 || nodes[16] < 1 || nodes[16] > 2 {
		return false
	}
	l.width = int(nodes[16])
	points := 3
	for i, curve := range curves {
		l.grid = append(l.grid, int(nodes[i]))
		if points *= int(nodes[i]); nodes[i] < 2 || points > MaxSize {
			return false
		}
		l.addInput(curve, int(nodes[i]))
	}
	l.nodes = nodes[20:]
	return len(l.nodes) >= points*l.width
}

func (l *lut) addInput(curve func(float64) float64, grid int) {
	var input [256]float32
	for value := range input {
		input[value] = float32(unit(curve(float64(value)/255)) * float64(grid-1))
	}
	l.inputs = append(l.inputs, input)
}

// parseCurves reads some curves, each of which begins at a multiple of 4 bytes.
func parseCurves(b []byte, count int) (curves []func(float64) float64, ok bool) {
	for range count {
		curve, size, ok := parseCurve(b)
		if !ok {
			return nil, false
		}
		curves = append(curves, curve)
		b = b[min(len(b), (size+3)/4*4):]
	}
	return curves, true
}

// tableCurve is a curve by its values, of width bytes each.
func tableCurve(values []byte, width int) func(float64) float64 {
	last := len(values)/width - 1
	return func(v float64) float64 {
		place := unit(v) * float64(last)
		i := min(int(place), last-1)
		part := place - float64(i)
		return node(values, width, i)*(1-part) + node(values, width, i+1)*part
	}
}

// node is a value of width bytes, from 0 to 1.
func node(values []byte, width, i int) float64 {
	if width == 1 {
		return float64(values[i]) / 255
	}
	return float64(binary.BigEndian.Uint16(values[2*i:])) / 65535
}

// xyz is the colour of some values of the picture's.
func (l *lut) xyz(values []uint8) [3]float64 {
	// Each point around has a share in it.
	var lower [4]int
	var part [4]float64
	for i := range l.grid {
		place := l.inputs[i][values[i]]
		lower[i] = min(int(place), l.grid[i]-2)
		part[i] = float64(place) - float64(lower[i])
	}
	var v [3]float64
	for corner := range 1 << len(l.grid) {
		share, at := 1.0, 0
		for i, points := range l.grid {
			at *= points
			if corner>>i&1 == 0 {
				share *= 1 - part[i]
				at += lower[i]
			} else {
				share *= part[i]
				at += lower[i] + 1
			}
		}
		if share == 0 {
			continue
		}
		for c := range v {
			v[c] += share * node(l.nodes, l.width, 3*at+c)
		}
	}
	if l.middle != nil {
		for c, curve := range l.m {
			v[c] = unit(curve(unit(v[c])))
		}
		v = l.middle.of(v)
		for c := range v {
			v[c] += l.offset[c]
		}
	}
	for c, curve := range l.last {
		v[c] = unit(curve(unit(v[c])))
	}
	return l.pcs(v)
}

// unit is a value between 0 and 1.
func unit(v float64) float64 {
	if v > 0 { // and a number
		return min(1, v)
	}
	return 0
}

// labToXYZ makes XYZ of L*a*b*, both of D50 (ISO 11664-4).
func labToXYZ(l, a, b float64) [3]float64 {
	const linear = 6.0 / 29
	y := (l + 16) / 116
	of := func(f float64) float64 {
		if f > linear {
			return f * f * f
		}
		return 3 * linear * linear * (f - 4.0/29)
	}
	return [3]float64{d50[0] * of(y+a/500), d50[1] * of(y), d50[2] * of(y-b/200)}
}

// row does what Row does.
func (l *lut) row(pix []uint8) {
	var before [4]uint8
	var result [3]uint8
	for first := true; len(pix) >= 4; pix = pix[4:] {
		if now := [4]uint8(pix); first || now != before {
			values := now
			if len(l.grid) == 4 { // see CMYK
				values = [4]uint8{255 - now[0], 255 - now[1], 255 - now[2], 0}
			}
			light := xyzToSRGB.of(l.xyz(values[:]))
			for c := range result {
				result[c] = encode[int(unit(light[c])*float64(len(encode)-1)+.5)]
			}
			before, first = now, false
		}
		copy(pix, result[:])
	}
}
