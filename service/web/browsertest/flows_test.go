package browsertest

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func (s *site) only(t *testing.T) directory.Employee {
	t.Helper()
	page, err := s.store.Page(t.Context(), directory.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Employees) != 1 {
		t.Fatalf("there are %d employees, want 1", len(page.Employees))
	}
	return page.Employees[0]
}

// TestKeyboardOnly adds an employee, changes and deletes it without a mouse.
func TestKeyboardOnly(t *testing.T) {
	for _, l := range []look{{width: 1280}, {width: 390}, {width: 1280, scriptless: true}} {
		t.Run(l.String(), func(t *testing.T) {
			s := serve(t, nil, nil)
			b := open(t, s, l)
			b.visit("/")
			b.tabTo(".skip")
			b.press(kb.Enter)
			b.tabTo("main [href='/employees/new']")
			b.press(kb.Enter)
			b.awaitPage("/employees/new")
			b.tabTo("[name=fullName]")
			b.press("Ada Lovelace")
			b.tabTo("[name=jobTitle]")
			b.press("Analyst")
			b.tabTo("[name=location]")
			b.press("London")
			b.tabTo("[value=bug]")
			b.press(" ")
			b.tabTo("[name=photo]")
			b.tabTo("form button.button")
			b.shoot("typed")
			b.press(kb.Enter)
			e := func() directory.Employee { b.await("!!document.querySelector('.flash')"); return s.only(t) }()
			b.awaitPage("/employees/" + e.ID)
			b.wantText("Added.", "Ada Lovelace", "Analyst", "London", "Bug hunter")
			b.shoot("added")

			b.tabTo("a[href$='/edit']")
			b.press(kb.Enter)
			b.awaitPage("/employees/" + e.ID + "/edit")
			b.tabTo("[name=jobTitle]")
			b.press("Countess")
			b.press(kb.Enter)
			b.awaitPage("/employees/" + e.ID)
			b.await("!!document.querySelector('.flash')")
			b.wantText("Saved.", "Countess")

			b.tabTo("a[href$='/delete']")
			b.press(kb.Enter)
			b.awaitPage("/employees/" + e.ID + "/delete")
			b.tabTo("button.danger")
			b.press(kb.Enter)
			b.awaitPage("/")
			b.await("!!document.querySelector('.flash')")
			b.wantText("Deleted", "Nobody is here yet")
			b.visit("/")
			if strings.Contains(b.text(), "Deleted") {
				t.Error("what was done is told twice")
			}
		})
	}
}

func TestSearchAsOneTypes(t *testing.T) {
	s := serve(t, nil, nil)
	s.people(t)
	b := open(t, s, look{})
	b.visit("/")
	b.tabTo("[name=name]")
	b.press("jose")
	b.await("document.querySelectorAll('.person').length === 1")
	b.wantText("José Ñandú", "1 employee", "Clear search")
	b.awaitPage("/?name=jose")
	if !value[bool](b, "document.activeElement.name === 'name' && document.activeElement.value === 'jose'") {
		t.Error("the focus left the field")
	}
	b.shoot("search")
	b.press("x")
	b.await("document.querySelector('#results').innerText.includes('Nobody matches')")
	if got := value[string](b, "document.querySelector('[role=status]').innerText"); got != "Nobody matches" {
		t.Errorf("a screen reader is told %q", got)
	}
	b.press(strings.Repeat(kb.Backspace, 5))
	b.await("document.querySelectorAll('.person').length > 10 && location.search === ''")
	b.tabTo("[name=location]")
	b.press("Bost") // chooses in a list by its beginning
	b.await("document.querySelectorAll('.person').length === 3")
	b.tabTo("[name=badge]")
	b.press("Gam")
	b.await("document.querySelectorAll('.person').length === 2")
	b.wantText("Margaret Hamilton", "Radia Perlman")
	b.visit(value[string](b, "location.pathname + location.search"))
	b.await("document.querySelectorAll('.person').length === 2")
}

func TestSearchThatFailsSaysSo(t *testing.T) {
	var down atomic.Bool
	s := serve(t, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				http.Error(w, "", http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	s.people(t)
	b := open(t, s, look{})
	b.visit("/")
	down.Store(true)
	b.tabTo("[name=name]")
	b.press("a")
	b.await("document.getElementById('count').innerText.includes('does not answer')")
	down.Store(false)
	b.press(kb.Enter)
	b.await("document.querySelectorAll('.person').length === 3")
}

func TestSearchWithoutScript(t *testing.T) {
	s := serve(t, nil, nil)
	s.people(t)
	b := open(t, s, look{scriptless: true})
	b.visit("/")
	b.tabTo("[name=name]")
	b.press("gra")
	b.press(kb.Enter)
	b.await("location.search.includes('name=gra') && document.querySelectorAll('.person').length === 1")
	b.wantText("Grace Hopper", "1 employee")
	b.tabTo("#clear a")
	b.press(kb.Enter)
	b.await("location.search === '' && document.querySelectorAll('.person').length > 10")
}

// noise is a picture that no encoder makes small.
func noise(t *testing.T, width, height int) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
	}
	img.Set(0, 0, color.White)
	path := filepath.Join(t.TempDir(), "noise.jpg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := jpeg.Encode(f, img, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPhotoIsShrunkBeforeItIsSent(t *testing.T) {
	path := noise(t, 2400, 1600)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []look{{width: 1280}, {width: 1280, scriptless: true}} {
		t.Run(l.String(), func(t *testing.T) {
			var sent atomic.Int64
			s := serve(t, nil, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						sent.Store(r.ContentLength)
					}
					next.ServeHTTP(w, r)
				})
			})
			e := s.add(t, "Ada Lovelace", "Analyst", "London", nil)
			b := open(t, s, l)
			b.visit("/employees/" + e.ID + "/edit")
			b.run(chromedp.SetUploadFiles("#photo", []string{path}))
			if l.scriptless {
				b.run(chromedp.Click("form button.button"))
				b.await("!!document.querySelector('.flash')")
				if sent.Load() < info.Size() {
					t.Errorf("%d bytes were sent of a photo of %d", sent.Load(), info.Size())
				}
				return
			}
			// The button is pressed while the photo is still being made smaller.
			b.run(chromedp.Click("form button.button"))
			b.await("!!document.querySelector('.flash')")
			if sent.Load() > info.Size()/2 {
				t.Errorf("%d bytes were sent of a photo of %d", sent.Load(), info.Size())
			}
			b.await("document.querySelector('.portrait img').naturalWidth > 0")
			b.visit("/employees/" + e.ID + "/edit")
			b.run(chromedp.SetUploadFiles("#photo", []string{path}))
			b.await("document.getElementById('photo-size').innerText.includes('2400 × 1600 pixels, sent as 768 × 512')")
			b.shoot("preview")
		})
	}
}

// TestPhotoThatWasChosenLastIsShown: also where one that was chosen before is
// read later.
func TestPhotoThatWasChosenLastIsShown(t *testing.T) {
	s := serve(t, nil, nil)
	first, last := noise(t, 900, 600), noise(t, 60, 40)
	b := open(t, s, look{})
	b.visit("/employees/new")
	value[bool](b, `(() => {
		const read = createImageBitmap;
		window.createImageBitmap = async (file) => {
			const picture = await read(file);
			if (picture.width === 900) await new Promise((resolve) => { window.goOn = resolve; });
			return picture;
		};
		return true;
	})()`)
	b.run(chromedp.SetUploadFiles("#photo", []string{first}))
	b.await("!!window.goOn")
	b.run(chromedp.SetUploadFiles("#photo", []string{last}))
	b.await("document.getElementById('photo-size').innerText === '60 × 40 pixels'")
	value[bool](b, "window.goOn(), new Promise((resolve) => { setTimeout(() => resolve(true), 0); })")
	if got := value[string](b, "document.getElementById('photo-size').innerText"); got != "60 × 40 pixels" {
		t.Errorf("the page says of the photo: %s", got)
	}
}

// TestFormThatIsStoppedOnItsWayCanBeSent sends it again.
func TestFormThatIsStoppedOnItsWayCanBeSent(t *testing.T) {
	var posts atomic.Int64
	arrived := make(chan struct{})
	s := serve(t, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/employees/") && posts.Add(1) == 1 {
				_, _ = io.Copy(io.Discard, r.Body)
				close(arrived)
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	e := s.add(t, "Ada Lovelace", "Analyst", "London", nil)
	b := open(t, s, look{})
	b.visit("/employees/" + e.ID + "/edit")
	value[bool](b, `(() => {
		const later = setTimeout;
		window.setTimeout = (what, after) => later(what, after / 10);
		return true;
	})()`)
	const press = "document.querySelector('form.employee .actions button')?.click(), true"
	value[bool](b, press)
	<-arrived
	call(b, page.StopLoading, cdp.Empty{})
	for end := time.Now().Add(patience); posts.Load() == 1; time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the button does nothing for %s", patience)
		}
		value[bool](b, press)
	}
	b.await("!!document.querySelector('.flash')")
	if got := s.only(t); got.Version != 2 {
		t.Errorf("the version is %d, want 2", got.Version)
	}
}

func TestFileThatIsNotAPhotoIsRefusedAndNothingTypedIsLost(t *testing.T) {
	s := serve(t, nil, nil)
	path := filepath.Join(t.TempDir(), "letter.jpg")
	if err := os.WriteFile(path, []byte("Dear Ada"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range []look{{width: 1280}, {width: 390, dark: true}} {
		b := open(t, s, l)
		b.visit("/employees/new")
		b.tabTo("[name=fullName]")
		b.press("Ada Lovelace")
		b.tabTo("[name=jobTitle]")
		b.press("Analyst")
		b.tabTo("[name=location]")
		b.press("London")
		b.run(chromedp.SetUploadFiles("#photo", []string{path}))
		b.tabTo("form button.button")
		b.press(kb.Enter)
		b.await("!!document.querySelector('.problem')")
		b.wantText("must be a JPEG, PNG, WebP or GIF")
		if got := value[string](b, "document.getElementById('fullName').value"); got != "Ada Lovelace" {
			t.Errorf("the name is %q now", got)
		}
		b.wantNoOverflow()
		b.shoot("refused-" + l.String())
		b.wantAccessible()
	}
}

// TestTwoVersions edits an employee whom someone else changes meanwhile.
func TestTwoVersions(t *testing.T) {
	for _, l := range []look{{width: 1280}, {width: 390, dark: true}, {width: 1280, scriptless: true}} {
		t.Run(l.String(), func(t *testing.T) {
			s := serve(t, nil, nil)
			e := s.add(t, "Ada Lovelace", "Analyst", "London", nil, "bug")
			b := open(t, s, l)
			b.visit("/employees/" + e.ID + "/edit")
			b.tabTo("[name=jobTitle]")
			b.press("Countess")
			b.tabTo("[name=location]")
			b.press("Paris")
			theirs := e
			theirs.JobTitle, theirs.Location, theirs.Badges = "Mathematician", "Ockham", []string{"trophy", "bug"}
			if _, err := s.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			b.press(kb.Enter)
			b.await("!!document.querySelector('.versions')")
			b.wantText("Two versions", "Countess", "Paris", "Mathematician", "Ockham", "Taken over from what is stored now", "Badges")
			b.wantNoOverflow()
			b.shoot("versions-" + l.String())
			// The badges, which only the other one changed, are taken over.
			want := directory.Employee{JobTitle: "Countess", Location: "Paris", Badges: []string{"trophy", "bug"}}
			if !l.scriptless {
				b.tabTo("[data-field=location]")
				b.press(kb.Enter)
				want.Location = "Ockham"
				b.wantAccessible()
			}
			b.run(chromedp.Click("form .actions button"))
			b.await("!!document.querySelector('.flash')")
			got := s.only(t)
			if got.JobTitle != want.JobTitle || got.Location != want.Location || fmt.Sprint(got.Badges) != fmt.Sprint(want.Badges) {
				t.Errorf("stored is %+v, want %+v", got, want)
			}
		})
	}
}
