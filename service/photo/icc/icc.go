// Package icc converts the colours of a picture to sRGB as its ICC profile says.
// Those of cameras, phones and screens are of a matrix and curves, those of
// printers of tables. The sections named in comments are those of ICC.1:2010,
// which is ISO 15076-1.
package icc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxSize is how many bytes a profile may have: those of print have about a
// million.
const MaxSize = 2 << 20

// ErrUnsupported means that a profile is of a kind that is not converted.
var ErrUnsupported = errors.New("unsupported colour profile")

// Transform makes sRGB of colours. A nil Transform leaves them as they are.
type Transform struct {
	// linear has, for each value of red, green and blue, how much light it is.
	linear [3][256]float32
	// matrix makes sRGB's light of it, by rows.
	matrix matrix
	// lut is used in place of both, unless it is nil.
	lut *lut
}

// Space is what the colours of a picture are.
type Space string

// The spaces that are converted, as profiles name them.
const (
	Gray Space = "GRAY"
	RGB  Space = "RGB "
	// CMYK is of pixels that are red, green and blue already, by what the four
	// inks leave together. As in Chromium, the profile is asked for the colour of
	// so much less cyan, magenta and yellow, without black.
	CMYK Space = "CMYK"
)

// matrix has three rows.
type matrix [3][3]float64

const pcsXYZ = "XYZ "

// Parse returns what makes sRGB of the colours of a picture with a profile. It
// returns nil where they are sRGB, or where data is not a profile of such colours,
// which browsers ignore. Its error is ErrUnsupported.
func Parse(data []byte, picture Space) (*Transform, error) {
	const header, magic = 128, 36
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d MB", ErrUnsupported, MaxSize>>20)
	}
	if len(data) < header+4 || string(data[magic:magic+4]) != "acsp" {
		return nil, nil
	}
	space, pcs, tags := Space(data[16:20]), string(data[20:24]), tagsOf(data)
	if space != picture && (space != RGB || picture != Gray) {
		return nil, nil
	}
	for _, name := range []string{"A2B0", "A2B1"} {
		count := map[Space]int{Gray: 1, RGB: 3, CMYK: 4}[space]
		if lut, ok := parseLUT(tags[name], count, pcs); ok {
			return (&Transform{lut: lut}).unlessSRGB(), nil
		}
	}
	t := &Transform{}
	switch {
	case space == Gray && tags["kTRC"] != nil:
		curve, _, ok := parseCurve(tags["kTRC"])
		if !ok {
			return nil, nil
		}
		// Of equal parts of red, green and blue comes gray.
		t.matrix = matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
		t.fill(curve, curve, curve)
	case space == RGB && tags["rXYZ"] != nil && pcs == pcsXYZ:
		var colorants matrix
		var curves [3]func(float64) float64
		for i, colour := range []string{"r", "g", "b"} {
			xyz, ok := parseXYZ(tags[colour+"XYZ"])
			curve, _, okCurve := parseCurve(tags[colour+"TRC"])
			if !ok || !okCurve {
				return nil, nil
			}
			curves[i] = curve
			for row := range colorants {
				colorants[row][i] = xyz[row]
			}
		}
		t.matrix = xyzToSRGB.times(colorants)
		t.fill(curves[0], curves[1], curves[2])
	default:
		return nil, fmt.Errorf("%w: it has neither a matrix and curves nor tables that are known", ErrUnsupported)
	}
	return t.unlessSRGB(), nil
}

// SRGBPrimaries are x and y of sRGB's white, red, green and blue.
var SRGBPrimaries = [8]float64{0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06}

// FromPrimaries returns what makes sRGB of colours of a gamma, which is the
// exponent of the encoder as a PNG has it, and of x and y of white, red, green
// and blue. It returns nil where they are sRGB, or impossible.
func FromPrimaries(gamma float64, xy [8]float64) *Transform {
	var white [3]float64
	var primaries matrix
	for i := range 4 {
		x, y := xy[2*i], xy[2*i+1]
		if x < 0 || y <= 0 || x+y > 1 {
			return nil
		}
		xyz := [3]float64{x / y, 1, (1 - x - y) / y}
		if i == 0 {
			white = xyz
			continue
		}
		for row := range primaries {
			primaries[row][i-1] = xyz[row]
		}
	}
	inverse, ok := primaries.inverse()
	if !ok {
		return nil
	}
	for i, amount := range inverse.of(white) {
		for row := range primaries {
			primaries[row][i] *= amount
		}
	}
	t := &Transform{matrix: xyzToSRGB.times(adapt(white)).times(primaries)}
	curve := func(v float64) float64 { return math.Pow(v, 1/gamma) }
	t.fill(curve, curve, curve)
	return t.unlessSRGB()
}

// xyzToSRGB makes sRGB's light of XYZ of the white that profiles have, D50: the
// inverse of the colorants of the ICC's profile of sRGB.
var xyzToSRGB = func() matrix {
	m, _ := matrix{
		{0.436066, 0.385147, 0.143066},
		{0.222488, 0.716873, 0.060608},
		{0.013916, 0.097076, 0.714096},
	}.inverse()
	return m
}()

// d50 is XYZ of the white that profiles have.
var d50 = [3]float64{0.9642, 1, 0.8249}

// adapt makes XYZ of D50 of that of another white, by Bradford's method (annex
// E of ICC.1).
func adapt(white [3]float64) matrix {
	cones := matrix{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}
	back, _ := cones.inverse()
	from, to := cones.of(white), cones.of(d50)
	return back.times(matrix{{to[0] / from[0], 0, 0}, {0, to[1] / from[1], 0}, {0, 0, to[2] / from[2]}}).times(cones)
}

// tagsOf is the data of each tag (section 7.3).
func tagsOf(data []byte) map[string][]byte {
	const header, entry = 128, 12
	tags := map[string][]byte{}
	for i := range binary.BigEndian.Uint32(data[header:]) {
		at := header + 4 + entry*int(i)
		if at+entry > len(data) {
			break
		}
		offset, size := int64(binary.BigEndian.Uint32(data[at+4:])), int64(binary.BigEndian.Uint32(data[at+8:]))
		if offset+size <= int64(len(data)) {
			tags[string(data[at:at+4])] = data[offset : offset+size]
		}
	}
	return tags
}

// fixed is a number of 16 bits before and 16 behind the point.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 }

// parseXYZ reads an XYZType (section 10.31).
func parseXYZ(b []byte) (xyz [3]float64, ok bool) {
	if len(b) < 20 || string(b[:4]) != "XYZ " {
		return xyz, false
	}
	for i := range xyz {
		xyz[i] = fixed(b[8+4*i:])
	}
	return xyz, true
}

// parseCurve reads a curveType or a parametricCurveType (sections 10.6, 10.18):
// how much light a value is, both from 0 to 1, and how many bytes it has.
func parseCurve(b []byte) (curve func(float64) float64, size int, ok bool) {
	const header = 12
	if len(b) < header {
		return nil, 0, false
	}
	values := b[header:]
	switch string(b[:4]) {
	case "curv":
		count := int64(binary.BigEndian.Uint32(b[8:]))
		switch {
		case count > int64(len(values)/2):
			return nil, 0, false
		case count == 0:
			return func(v float64) float64 { return v }, header, true
		case count == 1:
			gamma := float64(binary.BigEndian.Uint16(values)) / 256
			return func(v float64) float64 { return math.Pow(v, gamma) }, header + 2, true
		}
		return tableCurve(values[:2*count], 2), header + 2*int(count), true
	case "para":
		function := int(binary.BigEndian.Uint16(b[8:]))
		counts := []int{1, 3, 4, 5, 7}
		if function >= len(counts) || len(values) < 4*counts[function] {
			return nil, 0, false
		}
		curve, ok := parametric(function, values[:4*counts[function]])
		return curve, header + 4*counts[function], ok
	}
	return nil, 0, false
}

// parametric reads the parameters of a function of table 68.
func parametric(function int, b []byte) (curve func(float64) float64, ok bool) {
	var p [7]float64 // g, a, b, c, d, e, f
	for i := range len(b) / 4 {
		p[i] = fixed(b[4*i:])
	}
	gamma, a, offset, slope, from, add, below := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	switch function {
	case 0:
		a = 1
	case 1, 2:
		// Functions 1 and 2 have c in its place, which is added everywhere.
		if a == 0 {
			return nil, false
		}
		from, add, below, slope = -offset/a, slope, slope, 0
	}
	return func(v float64) float64 {
		if v >= from {
			return math.Pow(max(0, a*v+offset), gamma) + add
		}
		return slope*v + below
	}, true
}

func (t *Transform) fill(curves ...func(float64) float64) {
	for i, curve := range curves {
		for value := range t.linear[i] {
			t.linear[i][value] = float32(unit(curve(float64(value) / 255)))
		}
	}
}

// unlessSRGB returns nil where t changes hardly a colour, or is of no light.
func (t *Transform) unlessSRGB() *Transform {
	if t.lut != nil && len(t.lut.grid) != 3 {
		return t
	}
	for _, row := range t.matrix {
		for _, value := range row {
			if !(math.Abs(value) < 1000) {
				return nil
			}
		}
	}
	for red := 0; red < 256; red += 51 {
		for green := 0; green < 256; green += 51 {
			for blue := 0; blue < 256; blue += 51 {
				from := []uint8{uint8(red), uint8(green), uint8(blue), 255}
				to := append([]uint8(nil), from...)
				t.Row(to)
				for i := range from {
					if int(to[i])-int(from[i]) > 1 || int(from[i])-int(to[i]) > 1 {
						return t
					}
				}
			}
		}
	}
	return nil
}

// encode has the value of sRGB for an amount of light (IEC 61966-2-1).
var encode = func() (values [1 << 14]uint8) {
	for i := range values {
		light := float64(i) / float64(len(values)-1)
		value := 12.92 * light
		if light > 0.0031308 {
			value = 1.055*math.Pow(light, 1/2.4) - 0.055
		}
		values[i] = uint8(255*value + .5)
	}
	return values
}()

// Row converts pixels: red, green, blue and opacity of each, the colours not
// multiplied by it.
func (t *Transform) Row(pix []uint8) {
	switch {
	case t == nil:
		return
	case t.lut != nil:
		t.lut.row(pix)
		return
	}
	var m [3][3]float32
	for row := range m {
		for column := range m[row] {
			m[row][column] = float32(t.matrix[row][column] * float64(len(encode)-1))
		}
	}
	for ; len(pix) >= 4; pix = pix[4:] {
		red, green, blue := t.linear[0][pix[0]], t.linear[1][pix[1]], t.linear[2][pix[2]]
		for c := range m {
			light := m[c][0]*red + m[c][1]*green + m[c][2]*blue
			pix[c] = encode[int(max(0, min(float32(len(encode)-1), light+.5)))]
		}
	}
}

func (m matrix) times(n matrix) (product matrix) {
	for row := range product {
		for column := range product[row] {
			for i := range n {
				product[row][column] += m[row][i] * n[i][column]
			}
		}
	}
	return product
}

func (m matrix) of(v [3]float64) (product [3]float64) {
	for row := range product {
		product[row] = m[row][0]*v[0] + m[row][1]*v[1] + m[row][2]*v[2]
	}
	return product
}

func (m matrix) inverse() (inverse matrix, ok bool) {
	minor := func(row, column int) float64 {
		a, b, c, d := (row+1)%3, (row+2)%3, (column+1)%3, (column+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	determinant := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	if math.Abs(determinant) < 1e-9 {
		return inverse, false
	}
	for row := range inverse {
		for column := range inverse[row] {
			inverse[row][column] = minor(column, row) / determinant
		}
	}
	return inverse, true
}
