package photo

import (
	"image"

	"github.com/archipelago-cdk/archipelago/service/photo/icc"
)

// fit returns the size of a picture whose longer side is side, or less where
// its own is.
func fit(width, height, side int) (int, int) {
	longer := max(width, height)
	if longer <= side {
		return width, height
	}
	return max(1, (width*side+longer/2)/longer), max(1, (height*side+longer/2)/longer)
}

// shrink returns m in sRGB on white at another size: each pixel is the mean of
// those that it covers. convert makes sRGB of m's colours, unless it is nil.
func shrink(m pixels, convert *icc.Transform, width, height int) *image.RGBA {
	fromWidth, fromHeight := m.Size()
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	opaque := m.Opaque()
	paint := func(y int, pix []uint8) {
		m.Row(y, pix)
		convert.Row(pix)
		if !opaque {
			onWhite(pix)
		}
	}
	if fromWidth == width && fromHeight == height {
		for y := range height {
			paint(y, to.Pix[y*to.Stride:][:to.Stride])
		}
		return to
	}
	// A pixel of m is width units wide and height units high here, and one of
	// the result as many as m has pixels.
	line := make([]uint8, 4*fromWidth)
	across := make([]uint32, 3*width)
	sums := make([]uint64, 3*width)
	y, below := 0, fromHeight
	for row := range fromHeight {
		paint(row, line)
		shrinkLine(across, line)
		for left := height; left > 0; {
			part := min(left, below)
			for i, sum := range across {
				sums[i] += uint64(sum) * uint64(part)
			}
			left -= part
			if below -= part; below == 0 {
				mean(to.Pix[y*to.Stride:], sums, 1/float64(fromWidth*fromHeight))
				y, below = y+1, fromHeight
			}
		}
	}
	return to
}

// onWhite puts the pixels of a line on white.
func onWhite(pix []uint8) {
	for ; len(pix) >= 4; pix = pix[4:] {
		alpha := uint32(pix[3])
		if alpha == 255 {
			continue
		}
		white := 255 * (255 - alpha)
		for c, value := range pix[:3] {
			pix[c] = uint8((uint32(value)*alpha + white + 127) / 255)
		}
		pix[3] = 255
	}
}

// shrinkLine adds up the pixels of a line into sums of red, green and blue.
func shrinkLine(sums []uint32, pix []uint8) {
	width, count := uint32(len(sums)/3), uint32(len(pix)/4)
	right := count // of the present sum
	var reds, greens, blues uint32
	for ; len(pix) >= 4; pix = pix[4:] {
		red, green, blue := uint32(pix[0]), uint32(pix[1]), uint32(pix[2])
		left := width // of the present pixel
		for left >= right {
			sums[0], sums[1], sums[2] = reds+red*right, greens+green*right, blues+blue*right
			reds, greens, blues = 0, 0, 0
			sums = sums[3:]
			left -= right
			right = count
		}
		reds += red * left
		greens += green * left
		blues += blue * left
		right -= left
	}
}

// mean writes a line of the means that sums are, and clears them.
func mean(pix []uint8, sums []uint64, weight float64) {
	for i := range len(sums) / 3 {
		for c := range 3 {
			pix[4*i+c] = uint8(float64(sums[3*i+c])*weight + .5)
		}
		pix[4*i+3] = 255
	}
	clear(sums)
}

// upright turns and mirrors a picture as Exif's orientation says: 1 is upright,
// 3 upside down, 6 has its top on the right, 8 on the left, and 2, 4, 5 and 7
// are mirrored besides.
func upright(m *image.RGBA, orientation int) *image.RGBA {
	if orientation == 1 {
		return m
	}
	width, height := m.Rect.Dx(), m.Rect.Dy()
	size := image.Rect(0, 0, width, height)
	if orientation >= 5 {
		size = image.Rect(0, 0, height, width)
	}
	to := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			fromX, fromY := x, y
			if orientation >= 5 {
				fromX, fromY = y, x
			}
			switch orientation {
			case 2, 3, 7, 8:
				fromX = width - 1 - fromX
			}
			switch orientation {
			case 3, 4, 6, 7:
				fromY = height - 1 - fromY
			}
			copy(to.Pix[to.PixOffset(x, y):][:4], m.Pix[m.PixOffset(fromX, fromY):][:4])
		}
	}
	return to
}
