package photo

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

// TestCorpus: all that browsers show is shown. What it looks like is compared
// with Chromium in service/web/browsertest.
func TestCorpus(t *testing.T) {
	for name, content := range phototest.Corpus(t) {
		s, err := inspect(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		taken := int64(allocated(func() { _, err = s.decode() }))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if taken > s.memory+200<<10 {
			t.Errorf("%s: %d bytes were allocated, %d foretold", name, taken, s.memory)
		}
	}
}

// colours are those in the middle of the quarters.
func colours(t *testing.T, content []byte) (quarters [4][3]int) {
	t.Helper()
	m, err := Render(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range quarters {
		c := m.RGBAAt(m.Rect.Dx()*(1+i%2*2)/4, m.Rect.Dy()*(1+i/2*2)/4)
		quarters[i] = [3]int{int(c.R), int(c.G), int(c.B)}
	}
	return quarters
}

func TestColoursAreExact(t *testing.T) {
	patches := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			copy(patches.Pix[patches.PixOffset(x, y):], [][]uint8{{255, 0, 0, 255}, {200, 100, 50, 255}, {128, 128, 128, 255}, {40, 120, 90, 255}}[y/24*2+x/32])
		}
	}
	plain := encoded(t, patches, png.Encode)
	whitened := encoded(t, patches, toJPEG)
	p3 := [4][3]int{{255, 0, 0}, {215, 93, 31}, {128, 128, 128}, {0, 122, 88}}
	tests := map[string]struct {
		content []byte
		want    [4][3]int
		most    int
	}{
		// Black, white, red and blue, as libwebp has them.
		"lossy WebP":    {phototest.Testdata(t, "bwrb.webp"), [4][3]int{{0, 0, 0}, {255, 255, 255}, {255, 1, 0}, {0, 0, 255}}, 1},
		"PNG":           {plain, [4][3]int{{255, 0, 0}, {200, 100, 50}, {128, 128, 128}, {40, 120, 90}}, 0},
		"PNG in P3":     {phototest.WithProfile(plain, phototest.DisplayP3.Bytes()), p3, 1},
		"PNG, tables":   {phototest.WithProfile(plain, phototest.WithTables("mft2")), [4][3]int{{0, 0, 255}, {50, 100, 200}, {128, 128, 128}, {90, 120, 40}}, 3},
		"JPEG in P3":    {phototest.WithProfile(whitened, phototest.DisplayP3.Bytes()), p3, 5},
		"WebP, swapped": {phototest.WithProfile(phototest.Testdata(t, "bwrb.webp"), phototest.Swapped.Bytes()), [4][3]int{{0, 0, 0}, {255, 255, 255}, {0, 1, 255}, {255, 0, 0}}, 2},
		"JPEG, swapped": {phototest.WithProfile(phototest.WithoutSegment(whitened, 0xe0), phototest.Swapped.Bytes()), [4][3]int{{0, 0, 255}, {50, 100, 200}, {128, 128, 128}, {90, 120, 40}}, 5},
	}
	for name, test := range tests {
		got := colours(t, test.content)
		for i, want := range test.want {
			for c := range want {
				if off := got[i][c] - want[c]; max(off, -off) > test.most {
					t.Errorf("%s: quarter %d is %v, want %v", name, i, got[i], want)
					break
				}
			}
		}
	}
}

func TestAnimationsShowTheirFirstPicture(t *testing.T) {
	corpus := phototest.Corpus(t)
	for _, name := range []string{"animated.gif", "animated.png", "photo-animated.webp", "animated.webp"} {
		display, _ := mustProcess(t, corpus[name])
		if name == "animated.png" || name == "animated.webp" {
			continue // whose first picture is all of it
		}
		// It begins in from the corner.
		if r, g, b, _ := display.At(2, 2).RGBA(); min(r, g, b) < 0xf000 {
			t.Errorf("%s: a pixel beside the first picture is not white", name)
		}
		if r, g, b, _ := display.At(display.Bounds().Dx()/2, display.Bounds().Dy()/2).RGBA(); min(r, g, b) > 0xf000 {
			t.Errorf("%s: the first picture is white", name)
		}
	}
}

// TestPhonesPhotosAreTaken: of the pixels that sensors of 50 megapixels have, and
// in the memory that there is for all.
func TestPhonesPhotosAreTaken(t *testing.T) {
	for _, size := range [][2]uint16{{5712, 4284}, {8064, 6048}, {8160, 6144}, {8192, 6144}} {
		for _, marker := range []byte{0xc0, 0xc2} {
			header := jpegHeader(size[0], size[1])
			header[3] = marker
			s, err := inspect(bytes.NewReader(header), int64(len(header)))
			if err != nil || s.memory > Memory/4 {
				t.Errorf("%d×%d: %+v, %v", size[0], size[1], s, err)
			}
		}
	}
	header := jpegHeader(9000, 6000)
	var many *TooManyPixelsError
	if _, err := inspect(bytes.NewReader(header), int64(len(header))); !errors.As(err, &many) || many.Most != 51_000_000 || many.Width != 9000 {
		t.Errorf("54 megapixels: %v", err)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	photo := encoded(t, quarters(64, 64), toJPEG)
	for want, content := range map[string][]byte{
		"an AVIF image": phototest.Testdata(t, "photo.avif"),
		"a BMP image":   []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00"),
		"a JPEG of a rare kind (unsupported JPEG: marker 0xc9: it is lossless, hierarchical or arithmetically coded)": phototest.Testdata(t, "arithmetic.jpg"),
		"": []byte("Dear Ada"),
	} {
		var kind *UnsupportedError
		if _, err := process(t, content); !errors.As(err, &kind) || kind.Kind != want || !errors.Is(err, ErrUnsupported) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := process(t, phototest.WithProfile(photo, phototest.Unknown())); !errors.Is(err, ErrProfile) {
		t.Errorf("got %v, want ErrProfile", err)
	}
}
