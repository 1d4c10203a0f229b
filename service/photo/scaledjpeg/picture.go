package scaledjpeg

import (
	"image"
	"image/color"
)

// ratioOf returns how much finer the first component is sampled than the second
// and third. A fourth one is sampled as the first.
func ratioOf(components []component) (image.YCbCrSubsampleRatio, bool) {
	if len(components) == 1 {
		return image.YCbCrSubsampleRatio444, true
	}
	luma, blue, red, black := components[0], components[1], components[2], components[len(components)-1]
	if luma.h%blue.h != 0 || luma.v%blue.v != 0 || blue.h != red.h || blue.v != red.v {
		return 0, false
	}
	if len(components) == 4 && (black.h != luma.h || black.v != luma.v) {
		return 0, false
	}
	ratio, ok := map[[2]int]image.YCbCrSubsampleRatio{
		{1, 1}: image.YCbCrSubsampleRatio444,
		{1, 2}: image.YCbCrSubsampleRatio440,
		{2, 1}: image.YCbCrSubsampleRatio422,
		{2, 2}: image.YCbCrSubsampleRatio420,
		{4, 1}: image.YCbCrSubsampleRatio411,
		{4, 2}: image.YCbCrSubsampleRatio410,
	}[[2]int{luma.h / blue.h, luma.v / blue.v}]
	return ratio, ok
}

// picture puts the components together.
func (d *decoder) picture() (image.Image, error) {
	width, height := d.Size(d.n)
	bounds := image.Rect(0, 0, width, height)
	first := &d.components[0]
	if len(d.components) == 1 {
		return &image.Gray{Pix: first.pix, Stride: first.stride * d.n, Rect: bounds}, nil
	}
	ratio, _ := ratioOf(d.components) // frame has refused what has none
	planes := &image.YCbCr{
		Y: first.pix, Cb: d.components[1].pix, Cr: d.components[2].pix,
		YStride: first.stride * d.n, CStride: d.components[1].stride * d.n,
		SubsampleRatio: ratio, Rect: bounds,
	}
	switch {
	case len(d.components) == 4:
		return d.cmyk(planes)
	case d.rgb():
		return rgba(planes), nil
	default:
		return planes, nil
	}
}

// rgb reports whether three components are red, green and blue.
func (c *Config) rgb() bool {
	if c.jfif || len(c.components) != 3 {
		return false
	}
	return c.adobe && c.transform == 0 ||
		c.components[0].id == 'R' && c.components[1].id == 'G' && c.components[2].id == 'B'
}

// rgba is of planes that are red, green and blue.
func rgba(planes *image.YCbCr) *image.RGBA {
	m := image.NewRGBA(planes.Rect)
	for y := range planes.Rect.Max.Y {
		for x := range planes.Rect.Max.X {
			c := planes.COffset(x, y)
			m.SetRGBA(x, y, color.RGBA{planes.Y[planes.YOffset(x, y)], planes.Cb[c], planes.Cr[c], 255})
		}
	}
	return m
}

// cmyk adds the fourth component. Adobe's programs, which alone write such
// files, store the inverse of the ink; and either the three others so, or the
// red, green and blue that it leaves, as YCbCr.
func (d *decoder) cmyk(planes *image.YCbCr) (image.Image, error) {
	if !d.adobe {
		return nil, unsupported("it has four components, and no Adobe segment that says which")
	}
	black := d.components[3].pix
	m := image.NewCMYK(planes.Rect)
	for y := range planes.Rect.Max.Y {
		for x := range planes.Rect.Max.X {
			at, c := planes.YOffset(x, y), planes.COffset(x, y)
			ink := color.CMYK{255 - planes.Y[at], 255 - planes.Cb[c], 255 - planes.Cr[c], 255 - black[at]}
			if d.transform != 0 {
				ink.C, ink.M, ink.Y = color.YCbCrToRGB(planes.Y[at], planes.Cb[c], planes.Cr[c])
			}
			m.SetCMYK(x, y, ink)
		}
	}
	return m, nil
}
