package photo

import (
	"image"
	"image/color"
)

// pixels is a picture that was decoded.
type pixels interface {
	Size() (width, height int)
	// Opaque reports whether nothing shows through.
	Opaque() bool
	// Row writes the pixels of row y: red, green, blue and opacity of each, the
	// colours not multiplied by it.
	Row(y int, pix []uint8)
}

// rows are pixels that a function writes.
type rows struct {
	width, height int
	opaque        bool
	row           func(y int, pix []uint8)
}

func (r *rows) Size() (width, height int) { return r.width, r.height }
func (r *rows) Opaque() bool              { return r.opaque }
func (r *rows) Row(y int, pix []uint8)    { r.row(y, pix) }

// pixelsOf is of an image as decoders make it. Of 16 bits it takes the upper 8,
// as browsers do.
func pixelsOf(m image.Image) pixels {
	size := m.Bounds().Size()
	r := &rows{width: size.X, height: size.Y}
	if o, ok := m.(interface{ Opaque() bool }); ok {
		r.opaque = o.Opaque()
	}
	switch m := m.(type) {
	case *image.RGBA: // without transparency, as package image/png makes it
		r.row = func(y int, pix []uint8) { copy(pix, m.Pix[y*m.Stride:][:4*r.width]) }
	case *image.NRGBA:
		r.row = func(y int, pix []uint8) { copy(pix, m.Pix[y*m.Stride:][:4*r.width]) }
	case *image.RGBA64:
		r.row = func(y int, pix []uint8) { upper(pix, m.Pix[y*m.Stride:][:8*r.width]) }
	case *image.NRGBA64:
		r.row = func(y int, pix []uint8) { upper(pix, m.Pix[y*m.Stride:][:8*r.width]) }
	case *image.Gray:
		r.row = func(y int, pix []uint8) {
			for x, value := range m.Pix[y*m.Stride:][:r.width] {
				gray(pix[4*x:], value)
			}
		}
	case *image.Gray16:
		r.row = func(y int, pix []uint8) {
			for x := range r.width {
				gray(pix[4*x:], m.Pix[y*m.Stride+2*x])
			}
		}
	case *image.Paletted:
		r.row = paletted(m)
	default:
		r.row = func(y int, pix []uint8) {
			for x := range r.width {
				c := color.NRGBAModel.Convert(m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y)).(color.NRGBA)
				pix[4*x], pix[4*x+1], pix[4*x+2], pix[4*x+3] = c.R, c.G, c.B, c.A
			}
		}
	}
	return r
}

func gray(pix []uint8, value uint8) {
	pix = pix[:4]
	pix[0], pix[1], pix[2], pix[3] = value, value, value, 255
}

// upper is the upper half of 16-bit values.
func upper(to, from []uint8) {
	for i := range len(from) / 2 {
		to[i] = from[2*i]
	}
}

func paletted(m *image.Paletted) func(y int, pix []uint8) {
	var colours [256][4]uint8 // what is beyond the palette is transparent
	for i, c := range m.Palette[:min(len(m.Palette), len(colours))] {
		c := color.NRGBAModel.Convert(c).(color.NRGBA)
		colours[i] = [4]uint8{c.R, c.G, c.B, c.A}
	}
	width := m.Rect.Dx()
	return func(y int, pix []uint8) {
		for x, index := range m.Pix[y*m.Stride:][:width] {
			copy(pix[4*x:][:4], colours[index][:])
		}
	}
}

// placed is a picture that is a part of a larger one, which is transparent else.
type placed struct {
	pixels
	x, y, width, height int
}

func (p *placed) Size() (width, height int) { return p.width, p.height }

func (p *placed) Opaque() bool {
	width, height := p.pixels.Size()
	return width == p.width && height == p.height && p.pixels.Opaque()
}

func (p *placed) Row(y int, pix []uint8) {
	width, height := p.pixels.Size()
	clear(pix[:4*p.width])
	if y -= p.y; 0 <= y && y < height {
		p.pixels.Row(y, pix[4*p.x:][:4*width])
	}
}
