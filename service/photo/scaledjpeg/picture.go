package scaledjpeg

import "github.com/archipelago-cdk/archipelago/service/photo/planar"

// picture puts the components together.
func (d *decoder) picture() *planar.Picture {
	p := &planar.Picture{Model: d.model()}
	p.Width, p.Height = d.Size(d.n)
	for i := range d.components {
		c := &d.components[i]
		wide, high := c.idct.wide, c.idct.high
		p.Planes = append(p.Planes, planar.Plane{
			Pix: c.pix, Stride: c.stride * wide,
			Width: ceil(d.Width*c.h*wide, 8*d.mostH), Height: ceil(d.Height*c.v*high, 8*d.mostV),
			Across: planar.Ratio{Of: d.mostH * d.n, By: c.h * wide}, Down: planar.Ratio{Of: d.mostV * d.n, By: c.v * high},
		})
	}
	return p
}

// model is what the components are. A file says so by its segments, or else by
// the components' names; libjpeg, and so browsers, decide like this (its
// default_decompress_parms).
func (c *Config) model() planar.Model {
	switch len(c.components) {
	case 1:
		return planar.Gray
	case 4:
		if c.adobe && c.transform != 0 {
			return planar.YCCK
		}
		return planar.CMYK
	}
	named := c.components[0].id == 'R' && c.components[1].id == 'G' && c.components[2].id == 'B'
	switch {
	case c.jfif:
		return planar.YCbCr
	case c.adobe && c.transform == 0, !c.adobe && named:
		return planar.RGB
	default:
		return planar.YCbCr
	}
}

<<<<<<< HEAD
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
=======
// Components is how many colours the file has: 1 is gray, and 4 are inks.
func (c *Config) Components() int { return len(c.components) }
>>>>>>> 816292a (photo: make photos look as they do in a browser)
