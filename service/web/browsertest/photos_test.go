package browsertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
	"github.com/chromedp/chromedp"
)

// TestPhotosLookAsInABrowser compares each photo of the corpus with the pixels
// that Chromium makes of it, before and after both are encoded as the service
// does.
func TestPhotosLookAsInABrowser(t *testing.T) {
	// least is how close two pictures are that nobody can tell apart, and lost how
	// much farther from Chromium's the service's may be once encoded, in dB.
	const least, lost = 40, 1
	b := open(t, serve(t, nil, nil), look{})
	b.run(chromedp.Navigate("about:blank")) // which has no policy that keeps photos out
	corpus := phototest.Corpus(t)
	for _, name := range slices.Sorted(maps.Keys(corpus)) {
		t.Run(name, func(t *testing.T) {
			want, shown := chromiumPixels(t, b, corpus[name])
			got, err := photo.Render(bytes.NewReader(corpus[name]), int64(len(corpus[name])))
			if err != nil {
				t.Fatal(err)
			}
			want = means(want, got.Rect.Dx(), got.Rect.Dy())
			if height := want.Rect.Dy(); shown < height {
				// Of a file that is cut off Chromium leaves out the last row of blocks,
				// which may be there. Animations may begin with a smaller picture.
				if shown < height/2 {
					t.Fatalf("Chromium shows %d of %d rows", shown, height)
				}
				got, want = upper(got, shown), upper(want, shown)
			}
			close := psnr(t, got, want)
			encoded, best := psnr(t, reencoded(t, got), want), psnr(t, reencoded(t, want), want)
			t.Logf("%.1f dB; encoded %.1f dB, Chromium's %.1f dB", close, encoded, best)
			if close < least {
				t.Errorf("it differs from Chromium's: %.1f dB, want %d", close, least)
			}
			if encoded < best-lost {
				t.Errorf("encoded it differs from Chromium's: %.1f dB, want %.1f", encoded, best-lost)
			}
		})
	}
}

// upper is the first rows of a picture.
func upper(m *image.RGBA, rows int) *image.RGBA {
	return &image.RGBA{Pix: m.Pix[:rows*m.Stride], Stride: m.Stride, Rect: image.Rect(0, 0, m.Rect.Dx(), rows)}
}

// chromiumPixels are those of a photo on white, as large as it is, of a canvas,
// and how many rows of them are there.
func chromiumPixels(t *testing.T, b *tab, content []byte) (m *image.RGBA, shown int) {
	t.Helper()
	canvas := value[struct {
		URL  string `json:"url"`
		Rows int    `json:"rows"`
	}](b, fmt.Sprintf(`(async () => {
		const image = new Image();
		image.src = 'data:;base64,' + %q;
		await new Promise((resolve) => { image.onload = image.onerror = resolve; });
		if (!image.naturalWidth) return { url: '', rows: 0 };
		const canvas = document.createElement('canvas');
		canvas.width = image.naturalWidth;
		canvas.height = image.naturalHeight;
		const pen = canvas.getContext('2d');
		pen.drawImage(image, 0, 0);
		const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
		const rows = Math.floor(data.findLastIndex((value, i) => i %% 4 === 3 && value > 0) / 4 / canvas.width) + 1;
		pen.globalCompositeOperation = 'destination-over';
		pen.fillStyle = 'white';
		pen.fillRect(0, 0, canvas.width, canvas.height);
		return { url: canvas.toDataURL('image/png'), rows };
	})()`, base64.StdEncoding.EncodeToString(content)))
	if canvas.URL == "" {
		t.Fatal("Chromium does not show it")
	}
	_, encoded, _ := strings.Cut(canvas.URL, ",")
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := png.Decode(bytes.NewReader(decoded))
	if err != nil {
		t.Fatal(err)
	}
	return rgba(pixels), canvas.Rows
}

func rgba(m image.Image) *image.RGBA {
	if m, ok := m.(*image.RGBA); ok {
		return m
	}
	size := m.Bounds().Size()
	to := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
	for y := range size.Y {
		for x := range size.X {
			to.Set(x, y, m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y))
		}
	}
	return to
}

// means is m at a smaller size: each pixel is the mean of what it covers.
func means(m *image.RGBA, width, height int) *image.RGBA {
	if m.Rect.Dx() == width && m.Rect.Dy() == height {
		return m
	}
	across := shares(m.Rect.Dx(), width)
	down := shares(m.Rect.Dy(), height)
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var sum [4]float64
			for _, row := range down[y] {
				for _, column := range across[x] {
					at := m.PixOffset(column.index, row.index)
					for c := range sum {
						sum[c] += row.weight * column.weight * float64(m.Pix[at+c])
					}
				}
			}
			for c := range sum {
				to.Pix[to.PixOffset(x, y)+c] = uint8(sum[c] + .5)
			}
		}
	}
	return to
}

type share struct {
	index  int
	weight float64
}

// shares are the parts that each of some pixels has of others.
func shares(from, to int) [][]share {
	all := make([][]share, to)
	scale := float64(from) / float64(to)
	for i := range all {
		first, last := float64(i)*scale, float64(i+1)*scale
		for j := int(first); j < from && float64(j) < last; j++ {
			if weight := min(last, float64(j+1)) - max(first, float64(j)); weight > 1e-9 {
				all[i] = append(all[i], share{j, weight / scale})
			}
		}
	}
	return all
}

func reencoded(t *testing.T, m *image.RGBA) *image.RGBA {
	t.Helper()
	content, err := photo.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return rgba(decoded)
}

// psnr is how close two pictures are, in dB: 99 at most.
func psnr(t *testing.T, a, b *image.RGBA) float64 {
	t.Helper()
	if a.Rect.Size() != b.Rect.Size() {
		t.Fatalf("the sizes are %v and %v", a.Rect, b.Rect)
	}
	sum := 0.0
	for i := range a.Pix {
		difference := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += difference * difference // of opacity it is 0
	}
	if sum == 0 {
		return 99
	}
	return min(99, 10*math.Log10(255*255*float64(len(a.Pix))*3/4/sum))
}

// TestPhotosLookTheSameByEveryWay sends photos as the form's script does, and
// without it.
func TestPhotosLookTheSameByEveryWay(t *testing.T) {
	var large bytes.Buffer
	if err := phototest.JPEG(&large, phototest.Scene(1600, 1200)); err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil, nil)
	e := s.add(t, "Ada Lovelace", "Analyst", "London", nil)
	stored := func(t *testing.T, l look, name string, content []byte) *image.RGBA {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		b := open(t, s, l)
		b.visit("/employees/" + e.ID + "/edit")
		b.run(chromedp.SetUploadFiles("#photo", []string{path}), chromedp.Click("form button.button"))
		b.await("!!document.querySelector('.flash')")
		kept, err := s.photos.Get(t.Context(), s.only(t).Photo.Key)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(kept))
		if err != nil {
			t.Fatal(err)
		}
		return rgba(m)
	}
	swapped := phototest.WithProfile(large.Bytes(), phototest.Swapped.Bytes())
	byScript, without := stored(t, look{}, "swapped.jpg", swapped), stored(t, look{scriptless: true}, "swapped.jpg", swapped)
	if close := psnr(t, byScript, without); close < 30 { // both are encoded, one of them twice
		t.Errorf("a photo with a profile differs by the way it was sent: %.1f dB", close)
	}
	// AVIF is of a kind that the service does not take, and no larger than pages
	// show it.
	if avif := stored(t, look{}, "photo.avif", phototest.Testdata(t, "photo.avif")); avif.Rect.Dx() < 10 {
		t.Errorf("an AVIF is kept as %v", avif.Rect)
	}
}
