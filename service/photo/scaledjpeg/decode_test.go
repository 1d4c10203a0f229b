package scaledjpeg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"go/build"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo/scaledjpeg"
)

// files are Go's own JPEGs, by name: baseline and progressive, of every
// sampling and colour that image/jpeg decodes.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src/image/testdata/*.jpeg"))
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

func TestFullSizeIsAsOfImageJPEG(t *testing.T) {
	for name, content := range files(t) {
		t.Run(name, func(t *testing.T) {
			want, err := jpeg.Decode(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			got, err := scaledjpeg.Decode(bytes.NewReader(content), 8)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds() != want.Bounds() || got.ColorModel() != want.ColorModel() {
				t.Fatalf("got %v of %T, want %v of %T", got.Bounds(), got, want.Bounds(), want)
			}
			for y := range want.Bounds().Dy() {
				for x := range want.Bounds().Dx() {
					g, w := rgb(got, x, y), rgb(want, x, y)
					for c := range g {
						if g[c]-w[c] > 3 || w[c]-g[c] > 3 { // of different rounding
							t.Fatalf("pixel %d, %d is %v, want %v", x, y, g, w)
						}
					}
				}
			}
		})
	}
}

// TestEighthsAreSmallerPictures compares with the means of image/jpeg's pixels.
func TestEighthsAreSmallerPictures(t *testing.T) {
	for name, content := range files(t) {
		full, err := jpeg.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < 8; n++ {
			got, err := scaledjpeg.Decode(bytes.NewReader(content), n)
			if err != nil {
				t.Fatal(err)
			}
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
			if name == "video-001.rgb.jpeg" {
				most = 15 // its green and blue are sampled coarsely
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
		"baseline 4:2:0":    {"video-001.q50.420.jpeg", 2 << 20},
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

func TestWhatIsCutOffIsDamaged(t *testing.T) {
	for _, name := range []string{"video-001.jpeg", progressive, "video-001.restart2.jpeg"} {
		content := files(t)[name]
		for length := 0; length < len(content); length += 17 {
			if _, err := scaledjpeg.Decode(bytes.NewReader(content[:length]), 1); !errors.Is(err, scaledjpeg.ErrDamaged) {
				t.Fatalf("%s, %d of %d bytes: got %v", name, length, len(content), err)
			}
		}
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
		if width, height := config.Size(n); got.Bounds() != image.Rect(0, 0, width, height) {
			t.Errorf("got %v, want %d×%d", got.Bounds(), width, height)
		}
		got.At(got.Bounds().Max.X-1, got.Bounds().Max.Y-1)
		if want, err := jpeg.DecodeConfig(bytes.NewReader(content)); err == nil && (want.Width != config.Width || want.Height != config.Height) {
			t.Errorf("got %d×%d, want %d×%d", config.Width, config.Height, want.Width, want.Height)
		}
	})
}
