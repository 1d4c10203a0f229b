package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// The account that may sign in to every site.
const (
	accountName = "skipper"
	password    = "fair winds and following seas"
	// sessionCookie holds a session's id.
	sessionCookie = "session"
)

// site is the real service on the embedded store.
type site struct {
	*httptest.Server
	store  *sqlite.Store
	photos *sqlite.Photos
	// session is the id of one that the account has begun.
	session string
}

// serve starts a service. around, which may be nil, stands before it.
func serve(t *testing.T, change func(*web.Options), around func(http.Handler) http.Handler) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	photos, err := sqlite.OpenPhotos(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := web.Options{
		Employees: store, Photos: photos, Accounts: store, Sessions: store,
		Island: func() web.Island {
			return web.Island{Region: "eu-west-1", Zone: "eu-west-1a", Instance: "i-48a34317cae25c0c5", Type: "m7g.medium", Version: "1.0.0"}
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&o)
	}
	var handler http.Handler = web.New(o)
	if around != nil {
		handler = around(handler)
	}
	s := &site{Server: httptest.NewServer(handler), store: store, photos: photos}
	t.Cleanup(func() {
		s.Close()
		photos.Close()
		store.Close()
	})
	if err := account.New(store, store, time.Now).Add(t.Context(), accountName, password); err != nil {
		t.Fatal(err)
	}
	s.session = s.signIn(t)
	return s
}

// signIn begins a session as a program does, and returns its id.
func (s *site) signIn(t *testing.T) string {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"name": %q, "password": %q}`, accountName, password))
	res, err := s.Client().Post(s.URL+"/api/session", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	t.Fatalf("sign-in: status %d without a session", res.StatusCode)
	return ""
}

// add keeps an employee, with a portrait if there is one.
func (s *site) add(t *testing.T, name, title, location string, portrait []byte, badges ...string) directory.Employee {
	t.Helper()
	e := directory.Employee{ID: directory.NewID(), FullName: name, JobTitle: title, Location: location, Badges: badges}
	if portrait != nil {
		e.Photo.Key = directory.PhotoKey(e.ID, portrait, "jpg")
		if err := s.photos.Put(context.WithoutCancel(t.Context()), e.Photo.Key, portrait); err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.store.Create(t.Context(), e.Normalized())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// people fills the directory, and returns one of them and one of long words.
func (s *site) people(t *testing.T) (ada, long directory.Employee) {
	t.Helper()
	ada = s.add(t, "Ada Lovelace", "Analyst", "London", portrait(t, 0, 600, 750), "linux", "trophy", "bug", "coffee")
	for i, p := range []struct {
		name, title, location, badges string
		portrait                      bool
	}{
		{"Alan Turing", "Cryptanalyst", "Manchester", "bug umbrella", true},
		{"Annie Easley", "Rocket scientist", "Cleveland", "plane trophy", false},
		{"Barbara Liskov", "Professor", "Boston", "linux coffee paperclip", true},
		{"Dorothy Vaughan", "Head of computing", "Hampton", "windows trophy", false},
		{"Edsger Dijkstra", "Programmer", "Eindhoven", "paperclip", false},
		{"Grace Hopper", "Rear admiral", "Arlington", "bug plane coffee", true},
		{"Hedy Lamarr", "Inventor", "Vienna", "video-camera camera", true},
		{"José Ñandú", "Cartographer", "São Paulo", "camera umbrella", false},
		{"Katherine Johnson", "Mathematician", "Hampton", "apple plane", true},
		{"Margaret Hamilton", "Software engineer", "Boston", "trophy bug apple windows linux gamepad", true},
		{"Radia Perlman", "Network engineer", "Boston", "linux gamepad", false},
		{"فاطمة الفهري", "مؤسِّسة", "فاس", "coffee", false},
		{"👩‍🚀 Sally Ride", "Astronaut", "San Diego", "plane", false},
	} {
		var picture []byte
		if p.portrait {
			picture = portrait(t, i+1, 480, 480)
		}
		s.add(t, p.name, p.title, p.location, picture, strings.Fields(p.badges)...)
	}
	long = s.add(t, strings.Repeat("Llanfair", 25), strings.Repeat("x", 200), strings.Repeat("wide ", 40), nil, "coffee")
	return ada, long
}

// portrait paints somebody at the sea, as a JPEG.
func portrait(t *testing.T, who, width, height int) []byte {
	t.Helper()
	skies := []color.RGBA{{244, 211, 178, 255}, {176, 212, 219, 255}, {226, 205, 222, 255}, {201, 221, 190, 255}}
	skins := []color.RGBA{{141, 85, 54, 255}, {233, 188, 155, 255}, {92, 58, 40, 255}, {205, 148, 108, 255}, {246, 212, 186, 255}}
	hairs := []color.RGBA{{38, 28, 26, 255}, {96, 58, 34, 255}, {160, 152, 146, 255}, {60, 36, 58, 255}, {196, 140, 74, 255}}
	coats := []color.RGBA{{13, 74, 90, 255}, {168, 50, 31, 255}, {74, 92, 60, 255}, {70, 58, 110, 255}, {190, 138, 44, 255}}
	sky, skin, hair, coat := skies[who%4], skins[who%5], hairs[(who*3+1)%5], coats[(who*2)%5]
	sea := color.RGBA{66, 120, 132, 255}
	shade := color.RGBA{skin.R / 5 * 4, skin.G / 5 * 4, skin.B / 5 * 4, 255}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	within := func(x, y, cx, cy, rx, ry float64) bool { return math.Hypot((x-cx)/rx, (y-cy)/ry) < 1 }
	for py := range height {
		for px := range width {
			x, y := float64(px)/float64(width), float64(py)/float64(height)
			c := sky
			if y > .62+.012*math.Sin(x*18) {
				c = sea
			}
			for _, part := range []struct {
				color          color.RGBA
				cx, cy, rx, ry float64
			}{{hair, .5, .4, .235, .25}, {coat, .5, 1.08, .43, .42}, {shade, .5, .66, .085, .13}, {skin, .5, .45, .175, .2}} {
				if within(x, y, part.cx, part.cy, part.rx, part.ry) {
					c = part.color
				}
			}
			if within(x, y, .5, .29, .19, .1) {
				c = hair
			}
			img.SetRGBA(px, py, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 88}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
