package scaledjpeg

import "math"

// idct makes n×n pixels of the n×n lowest coefficients of a block: the inverse
// of a cosine transform of n points (section A.3.3 for 8).
type idct struct {
	n int
	// cosines has, for a coefficient, its part of each pixel of the first half.
	cosines [8][4]float32
}

func newIDCT(n int) idct {
	t := idct{n: n}
	for u := range n {
		for x := range (n + 1) / 2 {
			t.cosines[u][x] = float32(math.Cos(float64((2*x+1)*u)*math.Pi/float64(2*n)) / 2)
			if u == 0 {
				t.cosines[u][x] = float32(math.Sqrt(1.0 / 8))
			}
		}
	}
	return t
}

// pixels writes the pixels of block to pix.
func (t *idct) pixels(pix []uint8, stride int, block []int16, dequantize *[64]float32) {
	n := t.n
	half := (n + 1) / 2
	// A cosine is the same from the left and from the right, but for its sign
	// where its number is odd: half the pixels tell the others. Most coefficients
	// are zero.
	var rows [8][8]float32
	used := 0
	for v := range n {
		var parts [2][4]float32
		some := false
		for u, coefficient := range block[v*n:][:n] {
			if coefficient == 0 {
				continue
			}
			some = true
			value := float32(coefficient) * dequantize[v*n+u]
			part, cosines := &parts[u&1], &t.cosines[u&7]
			part[0] += value * cosines[0]
			part[1] += value * cosines[1]
			part[2] += value * cosines[2]
			part[3] += value * cosines[3]
		}
		if !some {
			continue
		}
		used = v + 1
		row := rows[v][:n]
		for x := range half {
			row[x] = parts[0][x] + parts[1][x]
			row[n-1-x] = parts[0][x] - parts[1][x]
		}
	}
	for y := range half {
		var parts [2][8]float32
		for v := range used {
			part, row, cosine := &parts[v&1], &rows[v], t.cosines[v][y]
			for x := range n {
				part[x&7] += row[x&7] * cosine
			}
		}
		above, below := pix[y*stride:][:n], pix[(n-1-y)*stride:][:n]
		for x := range n {
			above[x] = level(parts[0][x&7] + parts[1][x&7])
			below[x] = level(parts[0][x&7] - parts[1][x&7])
		}
	}
}

// level is a pixel of a sample.
func level(sample float32) uint8 {
	return uint8(max(0, min(255, sample+128.5)))
}
