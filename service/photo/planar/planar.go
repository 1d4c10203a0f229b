// Package planar makes pixels of pictures whose colours lie in a plane each,
// some sampled more coarsely than others, as decoders of JPEG and of lossy WebP
// leave them. Its results are libjpeg's and libwebp's, and so those of browsers,
// within rounding: image.YCbCr repeats a coarse sample, while these interpolate
// where it is twice as coarse.
package planar

// Model is what the planes of a picture are.
type Model uint8

// The models, each with the planes it has.
const (
	// Gray has brightness.
	Gray Model = iota
	// YCbCr has brightness, blueness and redness, from 0 to 255 (ITU-T T.871).
	YCbCr
	// VideoYCbCr has brightness from 16 to 235, and blueness and redness from 16
	// to 240 (ITU-R BT.601).
	VideoYCbCr
	// RGB has red, green and blue.
	RGB
	// CMYK has what four inks leave of the light, as Adobe's programs store them:
	// 255 means no ink.
	CMYK
	// YCCK has YCbCr of the light that cyan, magenta and yellow leave, and what
	// black leaves.
	YCCK
)

// Plane is one colour of a picture.
type Plane struct {
	Pix    []uint8
	Stride int
	// Width and Height are how many samples belong to the picture. Those behind
	// them are never read.
	Width, Height int
	// Across and Down are how many pixels of the picture a sample covers, as
	// fractions. Zero is one.
	Across, Down Ratio
}

// Ratio is a fraction.
type Ratio struct{ Of, By int }

// is reports whether the ratio is n.
func (r Ratio) is(n int) bool { return r.Of == n*r.By && (r.By != 0 || n == 1) || r.By == 0 && n == 1 }

// whole reports whether a sample covers a number of pixels without a part.
func (r Ratio) whole() bool { return r.By == 0 || r.Of%r.By == 0 }

// sample is the sample at a pixel.
func (r Ratio) sample(pixel, most int) int {
	if r.By != 0 {
		pixel = pixel * r.By / r.Of
	}
	return min(pixel, most-1)
}

// place is where the middle of a pixel is between the middles of two samples:
// part of 256 on the way from one to the next.
type place struct{ from, to, part int }

func (r Ratio) place(pixel, most int) place {
	if r.By == 0 {
		r = Ratio{1, 1}
	}
	middle := max(0, 256*((2*pixel+1)*r.By-r.Of)/(2*r.Of))
	return place{min(middle/256, most-1), min(middle/256+1, most-1), middle % 256}
}

// Picture is a picture in planes. It is for one goroutine at a time.
type Picture struct {
	Width, Height int
	Model         Model
	Planes        []Plane
	// Alpha is the opacity, as fine as the picture; without Pix all is opaque.
	Alpha Plane

	lines [4][]uint8
	mixed []uint16
	// places are those of a row's pixels, of the planes of which samples cover
	// pixels in part.
	places [4][]place
}

// Size is the picture's, in pixels.
func (p *Picture) Size() (width, height int) { return p.Width, p.Height }

// Opaque reports whether nothing shows through.
func (p *Picture) Opaque() bool { return p.Alpha.Pix == nil }

// Row writes the pixels of row y: red, green, blue and opacity of each, the
// colours not multiplied by it.
func (p *Picture) Row(y int, pix []uint8) {
	pix = pix[:4*p.Width]
	for i := range p.Planes {
		p.lines[i] = p.line(i, p.lines[i], y)
	}
	first := p.lines[0]
	switch p.Model {
	case Gray:
		for x, value := range first {
			pixel := pix[4*x:][:4]
			pixel[0], pixel[1], pixel[2], pixel[3] = value, value, value, 255
		}
	case YCbCr:
		full(pix, first, p.lines[1], p.lines[2])
	case VideoYCbCr:
		video(pix, first, p.lines[1], p.lines[2])
	case RGB, CMYK:
		interleave(pix, first, p.lines[1], p.lines[2])
	case YCCK:
		full(pix, first, p.lines[1], p.lines[2])
		for x := 0; x < len(pix); x += 4 {
			pix[x], pix[x+1], pix[x+2] = 255-pix[x], 255-pix[x+1], 255-pix[x+2]
		}
	}
	if p.Model == CMYK || p.Model == YCCK {
		darken(pix, p.lines[3])
	}
	if p.Alpha.Pix != nil {
		for x, alpha := range p.Alpha.Pix[y*p.Alpha.Stride:][:p.Width] {
			pix[4*x+3] = alpha
		}
	}
}

// line returns the samples of a plane in row y, one for each pixel. It may use
// room for them.
func (p *Picture) line(i int, room []uint8, y int) []uint8 {
	plane := &p.Planes[i]
	wide := plane.Across.is(2)
	switch {
	case plane.Across.is(1) && plane.Down.is(1):
		return plane.row(y)[:p.Width]
	case wide && plane.Width > 2 && plane.Down.is(1):
		room = grow(room, p.Width)
		widen(room, plane.row(y))
	case wide && plane.Width > 2 && plane.Down.is(2):
		room = grow(room, p.Width)
		widenMixed(room, p.mix(plane, y))
	case plane.Across.is(1) && plane.Down.is(2):
		room = grow(room, p.Width)
		bias := uint16(1 + y%2)
		for x, sum := range p.mix(plane, y)[:p.Width] {
			room[x] = uint8((sum + bias) >> 2)
		}
	case !plane.Across.whole() || !plane.Down.whole():
		room = grow(room, p.Width)
		p.interpolate(i, room, y)
	default:
		room = grow(room, p.Width)
		row := plane.row(plane.Down.sample(y, plane.Height))
		for x := range room {
			room[x] = row[plane.Across.sample(x, plane.Width)]
		}
	}
	return room
}

func (l *Plane) row(y int) []uint8 { return l.Pix[y*l.Stride:][:l.Width] }

func grow(room []uint8, width int) []uint8 {
	if room == nil {
		room = make([]uint8, width)
	}
	return room
}

// mix is of the two rows of samples that are next to row y of pixels, which is
// half as high: three parts of the nearer one and a part of the other.
func (p *Picture) mix(plane *Plane, y int) []uint16 {
	other := min(max(y/2-1+y%2*2, 0), plane.Height-1)
	near, far := plane.row(min(y/2, plane.Height-1)), plane.row(other)
	if len(p.mixed) < len(near) {
		p.mixed = make([]uint16, len(near))
	}
	mixed := p.mixed[:len(near)]
	far = far[:len(mixed)]
	for x, sample := range near {
		mixed[x] = 3*uint16(sample) + uint16(far[x])
	}
	return mixed
}

// interpolate writes the samples of a plane in row y, each of the nearest four.
func (p *Picture) interpolate(i int, room []uint8, y int) {
	plane := &p.Planes[i]
	if p.places[i] == nil {
		p.places[i] = make([]place, p.Width)
		for x := range p.places[i] {
			p.places[i][x] = plane.Across.place(x, plane.Width)
		}
	}
	if len(p.mixed) < plane.Width {
		p.mixed = make([]uint16, plane.Width)
	}
	down := plane.Down.place(y, plane.Height)
	above, below := plane.row(down.from), plane.row(down.to)
	for x, sample := range above {
		p.mixed[x] = uint16(256-down.part)*uint16(sample) + uint16(down.part)*uint16(below[x])
	}
	for x, across := range p.places[i] {
		left, right := uint32(p.mixed[across.from]), uint32(p.mixed[across.to])
		room[x] = uint8((uint32(256-across.part)*left + uint32(across.part)*right + 1<<15) >> 16)
	}
}

// widen writes two pixels for each sample: three parts of it, and a part of the
// sample on the pixel's other side.
func widen(to, from []uint8) {
	last := len(from) - 1
	for x, sample := range from {
		near := 3 * uint16(sample)
		if 2*x >= len(to) {
			return
		}
		to[2*x] = uint8((near + uint16(from[max(x-1, 0)]) + 1) >> 2)
		if 2*x+1 < len(to) {
			to[2*x+1] = uint8((near + uint16(from[min(x+1, last)]) + 2) >> 2)
		}
	}
}

// widenMixed does what widen does with rows that are mixed.
func widenMixed(to []uint8, from []uint16) {
	last := len(from) - 1
	before := from[0]
	pairs := to[:len(to)/2*2]
	x := 0
	for ; len(pairs) >= 2 && x < last; x++ {
		present, after := from[x], from[x+1]
		pairs[0] = uint8((3*present + before + 8) >> 4)
		pairs[1] = uint8((3*present + after + 7) >> 4)
		before, pairs = present, pairs[2:]
	}
	for at := 2 * x; at < len(to); at++ {
		x := min(at/2, last)
		beside := from[min(max(x-1+at%2*2, 0), last)]
		to[at] = uint8((3*from[x] + beside + 8 - uint16(at%2)) >> 4)
	}
}

// full writes the pixels of YCbCr in the full range, by ITU-T T.871.
func full(pix, luma, blue, red []uint8) {
	blue, red = blue[:len(luma)], red[:len(luma)]
	for x, y := range luma {
		yy := int32(y)<<16 + 1<<15
		cb, cr := int32(blue[x])-128, int32(red[x])-128
		pixel := pix[4*x:][:4:4]
		pixel[0] = clamp(yy + 91881*cr)
		pixel[1] = clamp(yy - 22554*cb - 46802*cr)
		pixel[2] = clamp(yy + 116130*cb)
		pixel[3] = 255
	}
}

// video writes the pixels of YCbCr in the range of video, by ITU-R BT.601:
// brightness has 219 steps and the others 224.
func video(pix, luma, blue, red []uint8) {
	blue, red = blue[:len(luma)], red[:len(luma)]
	for x, y := range luma {
		yy := 76309*(int32(y)-16) + 1<<15
		cb, cr := int32(blue[x])-128, int32(red[x])-128
		pixel := pix[4*x:][:4:4]
		pixel[0] = clamp(yy + 104597*cr)
		pixel[1] = clamp(yy - 25675*cb - 53279*cr)
		pixel[2] = clamp(yy + 132201*cb)
		pixel[3] = 255
	}
}

// clamp is the byte of a value in 65,536ths.
func clamp(value int32) uint8 {
	if uint32(value)>>24 == 0 {
		return uint8(value >> 16)
	}
	return uint8(^value >> 31)
}

func interleave(pix, first, second, third []uint8) {
	second, third = second[:len(first)], third[:len(first)]
	for x, value := range first {
		pixel := pix[4*x:][:4:4]
		pixel[0], pixel[1], pixel[2], pixel[3] = value, second[x], third[x], 255
	}
}

// darken takes the light that black ink keeps back.
func darken(pix, light []uint8) {
	for x, value := range light {
		pixel := pix[4*x:][:4:4]
		for c, colour := range pixel[:3] {
			pixel[c] = uint8((uint32(colour)*uint32(value) + 127) / 255)
		}
	}
}
