package scaledjpeg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
	"github.com/archipelago-cdk/archipelago/service/photo/scaledjpeg"
)

// files are Go's own JPEGs, by name: baseline and progressive, of every
// sampling and colour that image/jpeg decodes.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(phototest.GoTestdata(t), "*.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 20 {
		t.Fatalf("found %d JPEGs in Go's image/testdata, want more than 20", len(paths))
	}
	all := map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = content
	}
	return all
}

const progressive = "video-001.q50.444.progressive.jpeg"

// rgb is a pixel's colour.
func rgb(m image.Image, x, y int) [3]int {
	r, g, b, _ := m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y).RGBA()
	return [3]int{int(r >> 8), int(g >> 8), int(b >> 8)}
}

// decode returns the picture at n eighths of its size.
func decode(t testing.TB, content []byte, n int) *image.NRGBA {
	t.Helper()
	p, err := scaledjpeg.Decode(bytes.NewReader(content), n)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for y := range p.Height {
		p.Row(y, m.Pix[y*m.Stride:])
	}
	return m
}

// smooth is a picture whose coarse samples are interpolated where they are half
// as fine, as libjpeg does, while image.YCbCr repeats them.
func smooth(m image.Image) image.Image {
	planes, ok := m.(*image.YCbCr)
	if !ok {
		return m
	}
	size := m.Bounds().Size()
	across, down := 1, 1
	switch planes.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		across, down = 2, 2
	case image.YCbCrSubsampleRatio422:
		across = 2
	case image.YCbCrSubsampleRatio440:
		down = 2
	default:
		return m
	}
	sample := func(plane []uint8, x, y int) float64 {
		wide, high := (size.X+across-1)/across, (size.Y+down-1)/down
		middleX := max(0, (float64(x)+.5)/float64(across)-.5)
		middleY := max(0, (float64(y)+.5)/float64(down)-.5)
		left, above := int(middleX), int(middleY)
		value := 0.0
		for i, weightX := range []float64{1 - (middleX - float64(left)), middleX - float64(left)} {
			for j, weightY := range []float64{1 - (middleY - float64(above)), middleY - float64(above)} {
				value += weightX * weightY * float64(plane[min(above+j, high-1)*planes.CStride+min(left+i, wide-1)])
			}
		}
		return value
	}
	to := image.NewNRGBA(image.Rect(0, 0, size.X, size.Y))
	for y := range size.Y {
		for x := range size.X {
			luma := float64(planes.Y[planes.YOffset(x, y)])
			blue, red := sample(planes.Cb, x, y)-128, sample(planes.Cr, x, y)-128
			level := func(v float64) uint8 { return uint8(max(0, min(255, v+.5))) }
			to.SetNRGBA(x, y, color.NRGBA{level(luma + 1.402*red), level(luma - 0.344136*blue - 0.714136*red), level(luma + 1.772*blue), 255})
		}
	}
	return to
}

func TestFullSizeIsAsOfImageJPEG(t *testing.T) {
	for name, content := range files(t) {
		t.Run(name, func(t *testing.T) {
			want, err := jpeg.Decode(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			got := decode(t, content, 8)
			if got.Bounds() != want.Bounds() {
				t.Fatalf("got %v, want %v", got.Bounds(), want.Bounds())
			}
			if name == coarseRGB {
				return // image/jpeg repeats its samples: see TestEighthsAreSmallerPictures
			}
			want = smooth(want)
			for y := range want.Bounds().Dy() {
				for x := range want.Bounds().Dx() {
					g, w := rgb(got, x, y), rgb(want, x, y)
					for c := range g {
						if g[c]-w[c] > 4 || w[c]-g[c] > 4 { // of different rounding
							t.Fatalf("pixel %d, %d is %v, want %v", x, y, g, w)
						}
					}
				}
			}
		})
	}
}

// coarseRGB is one whose green and blue are sampled coarsely.
const coarseRGB = "video-001.rgb.jpeg"

// TestEighthsAreSmallerPictures compares with the means of image/jpeg's pixels.
func TestEighthsAreSmallerPictures(t *testing.T) {
	for name, content := range files(t) {
		full, err := jpeg.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 8; n++ {
			got := decode(t, content, n)
			width, height := full.Bounds().Dx(), full.Bounds().Dy()
			if size := image.Pt((width*n+7)/8, (height*n+7)/8); got.Bounds().Size() != size {
				t.Fatalf("%s, %d eighths: got %v, want %v", name, n, got.Bounds().Size(), size)
			}
			// Whole pixels only: the last may be of what fills up blocks.
			difference, count := 0, 0
			for y := range height * n / 8 {
				for x := range width * n / 8 {
					g, w := luma(rgb(got, x, y)), luma(mean(full, x, y, n))
					difference += max(g-w, w-g)
					count++
				}
			}
			most := 4
			if name == coarseRGB {
				most = 15
			}
			if difference > most*count {
				t.Errorf("%s, %d eighths: the pixels differ by %.1f on average", name, n, float64(difference)/float64(count))
			}
		}
	}
}

// mean is the colour of the part of m that pixel x, y of n eighths covers.
func mean(m image.Image, x, y, n int) [3]int {
	var sum [3]int
	total := 0
	for fromY := y * 8 / n; fromY*n < (y+1)*8; fromY++ {
		for fromX := x * 8 / n; fromX*n < (x+1)*8; fromX++ {
			area := overlap(fromX, x, n) * overlap(fromY, y, n)
			for c, value := range rgb(m, fromX, fromY) {
				sum[c] += value * area
			}
			total += area
		}
	}
	return [3]int{sum[0] / total, sum[1] / total, sum[2] / total}
}

// luma is a colour's brightness, which no sampling makes coarse.
func luma(c [3]int) int { return (299*c[0] + 587*c[1] + 114*c[2]) / 1000 }

// overlap is how much of pixel to, 8 long, is of pixel from, n long.
func overlap(from, to, n int) int { return min((from+1)*n, (to+1)*8) - max(from*n, to*8) }

func TestConfig(t *testing.T) {
	for name, content := range files(t) {
		want, err := jpeg.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		got, err := scaledjpeg.DecodeConfig(bytes.NewReader(content))
		if err != nil || got.Width != want.Width || got.Height != want.Height {
			t.Errorf("%s: got %+v, %v, want %d×%d", name, got, err, want.Width, want.Height)
		}
	}
}

func TestConfigHasExif(t *testing.T) {
	content := files(t)[progressive]
	with := append([]byte("\xff\xd8\xff\xe1\x00\x0cExif\x00\x00TIFF"), content[2:]...)
	config, err := scaledjpeg.DecodeConfig(bytes.NewReader(with))
	if err != nil || string(config.Exif) != "TIFF" {
		t.Errorf("got %q, %v", config.Exif, err)
	}
	if _, err := scaledjpeg.Decode(bytes.NewReader(with), 8); err != nil {
		t.Error(err)
	}
}

// TestMemoryIsWhatIsAllocated gives pictures a size of 12 megapixels, of which
// only the beginning follows: room is made for all.
func TestMemoryIsWhatIsAllocated(t *testing.T) {
	tests := map[string]struct {
		file string
		most int64
	}{
		"baseline 4:2:0":    {"video-001.q50.420.jpeg", 3 << 20},
		"progressive 4:4:4": {progressive, 12 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			content := bytes.Clone(files(t)[test.file])
			setSize(t, content, 4000, 3000)
			config, err := scaledjpeg.DecodeConfig(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := scaledjpeg.Decode(bytes.NewReader(content), 2); !errors.Is(err, scaledjpeg.ErrDamaged) {
				t.Errorf("got %v, want the picture cut off", err)
			}
			runtime.ReadMemStats(&after)
			allocated := int64(after.TotalAlloc - before.TotalAlloc)
			if want := config.Memory(2); allocated < want || allocated > want+200<<10 || want > test.most {
				t.Errorf("%d bytes were allocated, %d foretold, want %d at most", allocated, want, test.most)
			}
		})
	}
}

// setSize changes the size in the frame header.
func setSize(t *testing.T, content []byte, width, height uint16) {
	t.Helper()
	at := max(bytes.Index(content, []byte("\xff\xc0\x00")), bytes.Index(content, []byte("\xff\xc2\x00")))
	if at < 0 {
		t.Fatal("there is no frame header")
	}
	binary.BigEndian.PutUint16(content[at+5:], height)
	binary.BigEndian.PutUint16(content[at+7:], width)
}

// TestWhatIsCutOffIsShownByHalves: what is there of a file that is cut off is as
// in the whole file, and the rest is gray. Less than half is refused.
func TestWhatIsCutOffIsShownByHalves(t *testing.T) {
	for _, name := range []string{"video-001.jpeg", "video-001.restart2.jpeg"} {
		content := files(t)[name]
		whole := decode(t, content, 8)
		shown := 0
		for length := 0; length < len(content); length += 97 {
			_, err := scaledjpeg.Decode(bytes.NewReader(content[:length]), 8)
			if err != nil {
				if !errors.Is(err, scaledjpeg.ErrDamaged) || shown > 0 {
					t.Fatalf("%s, %d of %d bytes: got %v", name, length, len(content), err)
				}
				continue
			}
			if shown++; shown == 1 && (length < len(content)*3/10 || length > len(content)*7/10) {
				t.Errorf("%s: %d of %d bytes are shown", name, length, len(content))
			}
			m := decode(t, content[:length], 8)
			half := m.Rect.Dy() / 16 * 8 * m.Stride
			if !bytes.Equal(m.Pix[:half-8*m.Stride], whole.Pix[:half-8*m.Stride]) {
				t.Fatalf("%s, %d of %d bytes: the upper half differs", name, length, len(content))
			}
			if last := rgb(m, m.Rect.Dx()-1, m.Rect.Dy()-1); shown == 1 && last != [3]int{128, 128, 128} {
				t.Errorf("%s, %d of %d bytes: the last pixel is %v, want gray", name, length, len(content), last)
			}
		}
		if shown == 0 {
			t.Errorf("%s: nothing is shown", name)
		}
		if m := decode(t, content[:len(content)-2], 8); !bytes.Equal(m.Pix, whole.Pix) {
			t.Errorf("%s: without its end it differs", name)
		}
	}
	// Of a progressive file the first scan has all of the picture.
	content := files(t)[progressive]
	if got, want := decode(t, content[:len(content)*9/10], 4), decode(t, content, 4); luma(rgb(got, 5, 50))-luma(rgb(want, 5, 50)) > 20 {
		t.Errorf("a pixel is %v, want nearly %v", rgb(got, 5, 50), rgb(want, 5, 50))
	}
	if _, err := scaledjpeg.Decode(bytes.NewReader(content[:bytes.Index(content, []byte("\xff\xda"))+40]), 4); !errors.Is(err, scaledjpeg.ErrDamaged) {
		t.Errorf("got %v of a header", err)
	}
}

// TestLostRestartMarker: what is behind the next marker is as in the whole file.
func TestLostRestartMarker(t *testing.T) {
	content := phototest.Testdata(t, "restart.jpg")
	whole := decode(t, content, 8)
	first, second := bytes.Index(content, []byte("\xff\xd0")), bytes.Index(content, []byte("\xff\xd1"))
	for name, damaged := range map[string][]byte{
		"marker": slices.Concat(content[:first], content[first+2:]),
		"data":   slices.Concat(content[:first], content[second:]),
	} {
		m := decode(t, damaged, 8)
		// A restart is behind each row of blocks here, 16 pixels high, and chroma
		// is smooth across rows.
		if !bytes.Equal(m.Pix[:15*m.Stride], whole.Pix[:15*m.Stride]) || !bytes.Equal(m.Pix[33*m.Stride:], whole.Pix[33*m.Stride:]) {
			t.Errorf("%s: what is not lost differs", name)
		}
		if lost := rgb(m, 70, 24); lost != [3]int{128, 128, 128} {
			t.Errorf("%s: what is lost is %v, want gray", name, lost)
		}
	}
}

// TestWrongBytesAreShown: libjpeg goes on behind codes that are in no table.
func TestWrongBytesAreShown(t *testing.T) {
	content := bytes.Clone(files(t)["video-001.q50.444.jpeg"])
	whole := decode(t, content, 8)
	copy(content[len(content)*4/5:], "\xfe\xfe\xfe\xfe")
	if m := decode(t, content, 8); !bytes.Equal(m.Pix[:64*m.Stride], whole.Pix[:64*m.Stride]) {
		t.Error("what is before the wrong bytes differs")
	}
}

func TestRefusals(t *testing.T) {
	content := files(t)[progressive]
	replaced := func(old, new string) []byte {
		if !bytes.Contains(content, []byte(old)) {
			t.Fatalf("there is no %q", old)
		}
		return bytes.Replace(content, []byte(old), []byte(new), 1)
	}
	before, _, _ := bytes.Cut(content, []byte("\xff\xda"))
	scan, _, _ := bytes.Cut(content[len(before):], []byte("\xff\xc4"))
	many := slices.Concat(before, bytes.Repeat(scan, scaledjpeg.MaxScans), content[len(before):])
	zero := bytes.Clone(content)
	setSize(t, zero, 0, 100)
	tests := map[string]struct {
		content []byte
		want    error
	}{
		"nothing":                {nil, scaledjpeg.ErrDamaged},
		"a PNG":                  {[]byte("\x89PNG\r\n\x1a\n"), scaledjpeg.ErrDamaged},
		"no picture":             {[]byte("\xff\xd8\xff\xd9"), scaledjpeg.ErrDamaged},
		"no width":               {zero, scaledjpeg.ErrDamaged},
		"arithmetic coding":      {replaced("\xff\xc2", "\xff\xca"), scaledjpeg.ErrUnsupported},
		"12 bits a sample":       {replaced("\xff\xc2\x00\x11\x08", "\xff\xc2\x00\x11\x0c"), scaledjpeg.ErrUnsupported},
		"too many scans":         {many, scaledjpeg.ErrUnsupported},
		"no Huffman table":       {replaced("\xff\xc4", "\xff\xfe"), scaledjpeg.ErrDamaged},
		"no quantization table":  {replaced("\xff\xdb", "\xff\xfe"), scaledjpeg.ErrDamaged},
		"a scan before its time": {replaced("\xff\xc2\x00\x11", "\xff\xfe\x00\x11"), scaledjpeg.ErrDamaged},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if m, err := scaledjpeg.Decode(bytes.NewReader(test.content), 8); !errors.Is(err, test.want) {
				t.Errorf("got %v, %v, want %v", m, err, test.want)
			}
		})
	}
}

// FuzzDecode looks for panics, and for sizes that differ from image/jpeg's.
func FuzzDecode(f *testing.F) {
	for _, content := range files(f) {
		f.Add(content, uint8(8))
		f.Add(content, uint8(2))
	}
	f.Fuzz(func(t *testing.T, content []byte, eighths uint8) {
		n := int(eighths%8) + 1
		config, err := scaledjpeg.DecodeConfig(bytes.NewReader(content))
		if err != nil || config.Width*config.Height > 1<<20 {
			return
		}
		got, err := scaledjpeg.Decode(bytes.NewReader(content), n)
		if err != nil {
			return
		}
		if width, height := config.Size(n); got.Width != width || got.Height != height {
			t.Errorf("got %d×%d, want %d×%d", got.Width, got.Height, width, height)
		}
		row := make([]uint8, 4*got.Width)
		for y := range got.Height {
			got.Row(y, row)
		}
		if want, err := jpeg.DecodeConfig(bytes.NewReader(content)); err == nil && (want.Width != config.Width || want.Height != config.Height) {
			t.Errorf("got %d×%d, want %d×%d", config.Width, config.Height, want.Width, want.Height)
		}
	})
}
