package photo

import (
	"image/gif"
	"io"
)

// inspectGIF takes the first picture of a GIF, which may be a part of its screen.
func (s *source) inspectGIF(r io.Reader, file *io.SectionReader) error {
	config, err := gif.DecodeConfig(r)
	if err != nil {
		return err
	}
	s.width, s.height = config.Width, config.Height
	s.memory = 2*int64(s.width)*int64(s.height) + 64<<10 // twice where it is interlaced
	s.decode = func() (pixels, error) {
		m, err := gif.Decode(whole(file))
		if err != nil {
			return nil, err
		}
		return &placed{pixelsOf(m), m.Bounds().Min.X, m.Bounds().Min.Y, s.width, s.height}, nil
	}
	return nil
}
