package phototest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
)

// Profile is an ICC profile of a matrix and a curve.
type Profile struct {
	// Colorants are X, Y and Z of red, green and blue, for the white D50.
	Colorants [3][3]float64
	// Curve is a tag's data.
	Curve []byte
}

// The profiles that photos have.
var (
	SRGB      = Profile{[3][3]float64{{0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}}, srgbCurve}
	DisplayP3 = Profile{[3][3]float64{{0.51512, 0.24120, -0.00105}, {0.29198, 0.69225, 0.04189}, {0.15710, 0.06657, 0.78407}}, srgbCurve}
	AdobeRGB  = Profile{[3][3]float64{{0.60974, 0.31111, 0.01947}, {0.20528, 0.62567, 0.06087}, {0.14919, 0.06322, 0.74457}}, gamma(563)}
	ProPhoto  = Profile{[3][3]float64{{0.79767, 0.28804, 0}, {0.13519, 0.71188, 0}, {0.03134, 0.00009, 0.82491}}, gamma(461)}
	Swapped   = Profile{[3][3]float64{SRGB.Colorants[2], SRGB.Colorants[1], SRGB.Colorants[0]}, srgbCurve}
)

// srgbCurve is sRGB's as a function: phones write it so.
var srgbCurve = append([]byte("para\x00\x00\x00\x00\x00\x03\x00\x00"), fixed(2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)...)

// gamma is a curve of an exponent in 256ths.
func gamma(exponent uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte("curv\x00\x00\x00\x00\x00\x00\x00\x01"), exponent)
}

// table is a curve of many values, as programs write it.
func table(light func(float64) float64) []byte {
	const count = 1024
	b := append([]byte("curv\x00\x00\x00\x00"), u32(count)...)
	for i := range count {
		b = binary.BigEndian.AppendUint16(b, uint16(65535*light(float64(i)/(count-1))+.5))
	}
	return b
}

func srgbLight(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func curved(p Profile, curve []byte) Profile {
	p.Curve = curve
	return p
}

// Gray is a profile of an exponent of gray.
func Gray(exponent float64) []byte {
	return profile("GRAY", map[string][]byte{"kTRC": gamma(uint16(exponent * 256)), "wtpt": xyz(0.9642, 1, 0.8249)})
}

// Bytes is the profile as a file has it.
func (p Profile) Bytes() []byte {
	tags := map[string][]byte{"wtpt": xyz(0.9642, 1, 0.8249)}
	for i, colour := range []string{"r", "g", "b"} {
		tags[colour+"XYZ"] = xyz(p.Colorants[i][0], p.Colorants[i][1], p.Colorants[i][2])
		tags[colour+"TRC"] = p.Curve
	}
	return profile("RGB ", tags)
}

// profile has a header, a table of the tags, and their data.
func profile(space string, tags map[string][]byte) []byte {
	const header, entry = 128, 12
	table := u32(uint32(len(tags)))
	var data []byte
	for _, name := range []string{"wtpt", "kTRC", "rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC", "A2B0"} {
		tag, ok := tags[name]
		if !ok {
			continue
		}
		table = append(append(table, name...), u32(uint32(header+4+entry*len(tags)+len(data)), uint32(len(tag)))...)
		data = append(data, tag...)
		data = append(data, make([]byte, (4-len(tag)%4)%4)...)
	}
	b := make([]byte, header)
	binary.BigEndian.PutUint32(b, uint32(header+len(table)+len(data)))
	copy(b[8:], "\x04\x20\x00\x00mntr"+space+"XYZ ")
	copy(b[36:], "acsp")
	copy(b[68:], fixed(0.9642, 1, 0.8249))
	return append(append(b, table...), data...)
}

func xyz(values ...float64) []byte {
	return append([]byte("XYZ \x00\x00\x00\x00"), fixed(values...)...)
}

// fixed are numbers of 16 bits before and 16 behind the point.
func fixed(values ...float64) (b []byte) {
	for _, value := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(value*65536))))
	}
	return b
}

// stored is data as zlib has it.
func stored(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// WithTables is an RGB profile of tables, of a kind ("mft1", "mft2" or "mAB "),
// in which red and blue have changed places.
func WithTables(kind string) []byte {
	const grid = 9
	var nodes []byte
	node := func(value, most float64) {
		if kind == "mft1" {
			nodes = append(nodes, uint8(math.Round(255*value)))
			return
		}
		nodes = binary.BigEndian.AppendUint16(nodes, uint16(math.Round(most*value)))
	}
	most := 65535.0
	if kind == "mft2" {
		most = 65280
	}
	for i := range grid * grid * grid {
		at := func(i int) float64 { return srgbLight(float64(i%grid) / (grid - 1)) }
		l, a, b := lab(at(i), at(i/grid), at(i/grid/grid)) // red varies slowest, and is blue
		node(l/100, most)
		node((a+128)/255, most)
		node((b+128)/255, most)
	}
	head := append([]byte(kind+"\x00\x00\x00\x00\x03\x03"), grid, 0)
	identity := "curv\x00\x00\x00\x00\x00\x00\x00\x00"
	var tag []byte
	switch kind {
	case "mft1":
		var curve []byte
		for i := range 3 * 256 {
			curve = append(curve, uint8(i))
		}
		tag = bytes.Join([][]byte{head, fixed(1, 0, 0, 0, 1, 0, 0, 0, 1), curve, nodes, curve}, nil)
	case "mft2":
		curve := bytes.Repeat([]byte{0, 0, 0xff, 0xff}, 3)
		tag = bytes.Join([][]byte{head, fixed(1, 0, 0, 0, 1, 0, 0, 0, 1), {0, 2, 0, 2}, curve, nodes, curve}, nil)
	default:
		const header, curves, points = 32, 36, 20
		table := append(make([]byte, 16), 2, 0, 0, 0)
		copy(table, []byte{grid, grid, grid})
		nodes = append(table, nodes...)
		tag = append(head[:10], 0, 0)
		tag = append(tag, u32(header, 0, 0, header+curves, uint32(header+curves+len(nodes)))...)
		tag = append(tag, identity+identity+identity...)
		tag = append(append(tag, nodes...), identity+identity+identity...)
	}
	p := profile("RGB ", map[string][]byte{"A2B0": tag, "wtpt": xyz(0.9642, 1, 0.8249)})
	copy(p[20:], "Lab ")
	return p
}

// Unknown is an RGB profile of a kind of table that nobody converts.
func Unknown() []byte {
	return profile("RGB ", map[string][]byte{"A2B0": make([]byte, 64), "wtpt": xyz(0.9642, 1, 0.8249)})
}

// lab is L*a*b* of sRGB's light.
func lab(light ...float64) (l, a, b float64) {
	var f [3]float64
	for i, white := range []float64{0.9642, 1, 0.8249} {
		value := 0.0
		for c, colorant := range SRGB.Colorants {
			value += colorant[i] * light[c]
		}
		if value /= white; value > 216.0/24389 {
			f[i] = math.Cbrt(value)
		} else {
			f[i] = (24389.0/27*value + 16) / 116
		}
	}
	return 116*f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
}
