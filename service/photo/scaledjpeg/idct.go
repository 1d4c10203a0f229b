package scaledjpeg

import "math"

// idct makes wide×high pixels of as many of the lowest coefficients of a block:
// the inverse of a cosine transform of so many points (section A.3.3 for 8×8).
type idct struct {
	wide, high int
	// across and down have, for a coefficient, its part of each pixel of the first
	// half.
	across, down [8][4]float32
}

func newIDCT(wide, high int) *idct {
	return &idct{wide: wide, high: high, across: cosines(wide), down: cosines(high)}
}

func cosines(points int) (c [8][4]float32) {
	for u := range points {
		for x := range (points + 1) / 2 {
			c[u][x] = float32(math.Cos(float64((2*x+1)*u)*math.Pi/float64(2*points)) / 2)
			if u == 0 {
				c[u][x] = float32(math.Sqrt(1.0 / 8))
			}
		}
	}
	return c
}

// pixels writes the pixels of block to pix.
func (t *idct) pixels(pix []uint8, stride int, block []int16, dequantize *[64]float32) {
	wide, high := t.wide, t.high
	half := (wide + 1) / 2
	// A cosine is the same from the left and from the right, but for its sign
	// where its number is odd: half the pixels tell the others. Most coefficients
	// are zero.
	var rows [8][8]float32
	used := 0
	for v := range high {
		var parts [2][4]float32
		some := false
		for u, coefficient := range block[v*wide:][:wide] {
			if coefficient == 0 {
				continue
			}
			some = true
			value := float32(coefficient) * dequantize[v*wide+u]
			part, cosines := &parts[u&1], &t.across[u&7]
			part[0] += value * cosines[0]
			part[1] += value * cosines[1]
			part[2] += value * cosines[2]
			part[3] += value * cosines[3]
		}
		if !some {
			continue
		}
		used = v + 1
		row := rows[v][:wide]
		for x := range half {
			row[x] = parts[0][x] + parts[1][x]
			row[wide-1-x] = parts[0][x] - parts[1][x]
		}
	}
	for y := range (high + 1) / 2 {
		var parts [2][8]float32
		for v := range used {
			part, row, cosine := &parts[v&1], &rows[v], t.down[v][y]
			for x := range wide {
				part[x&7] += row[x&7] * cosine
			}
		}
		above, below := pix[y*stride:][:wide], pix[(high-1-y)*stride:][:wide]
		for x := range wide {
			above[x] = level(parts[0][x&7] + parts[1][x&7])
			below[x] = level(parts[0][x&7] - parts[1][x&7])
		}
	}
}

// level is a pixel of a sample.
func level(sample float32) uint8 {
	return uint8(max(0, min(255, sample+128.5)))
}
