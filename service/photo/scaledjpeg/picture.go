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

// Components is how many colours the file has: 1 is gray, and 4 are inks.
func (c *Config) Components() int { return len(c.components) }
