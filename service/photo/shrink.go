package photo

import (
	"image"
	"image/draw"
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

// shrink returns m on white at another size: each pixel is the mean of those
// that it covers.
func shrink(m image.Image, width, height int) *image.RGBA {
	from := m.Bounds()
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	paint := painter(m)
	if to.Rect.Size() == from.Size() {
		paint(to, from.Min)
		return to
	}
	// A pixel of m is width units wide and height units high here, and one of
	// the result as many as m has pixels.
	line := image.NewRGBA(image.Rect(0, 0, from.Dx(), 1))
	across := make([]uint32, 3*width)
	sums := make([]uint64, 3*width)
	y, below := 0, from.Dy()
	for row := from.Min.Y; row < from.Max.Y; row++ {
		paint(line, image.Pt(from.Min.X, row))
		shrinkLine(across, line.Pix)
		for left := height; left > 0; {
			part := min(left, below)
			for i, sum := range across {
				sums[i] += uint64(sum) * uint64(part)
			}
			left -= part
			if below -= part; below == 0 {
				mean(to.Pix[y*to.Stride:], sums, 1/float64(from.Dx()*from.Dy()))
				y, below = y+1, from.Dy()
			}
		}
	}
	return to
}

// painter returns what draws the part of m at a point, as large as to, on white.
func painter(m image.Image) func(to *image.RGBA, at image.Point) {
	if o, ok := m.(interface{ Opaque() bool }); ok && o.Opaque() {
		return func(to *image.RGBA, at image.Point) { draw.Draw(to, to.Rect, m, at, draw.Src) }
	}
	return func(to *image.RGBA, at image.Point) {
		draw.Draw(to, to.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(to, to.Rect, m, at, draw.Over)
	}
}

// shrinkLine adds up the pixels of a line into sums of red, green and blue.
func shrinkLine(sums []uint32, pix []uint8) {
	clear(sums)
	width, count := uint32(len(sums)/3), uint32(len(pix)/4)
	right := count
	for ; len(pix) >= 4; pix = pix[4:] {
		red, green, blue := uint32(pix[0]), uint32(pix[1]), uint32(pix[2])
		for left := width; left > 0; {
			part := min(left, right)
			sums[0] += red * part
			sums[1] += green * part
			sums[2] += blue * part
			left -= part
			if right -= part; right == 0 {
				sums, right = sums[3:], count
			}
		}
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
