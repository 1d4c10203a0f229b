// Package browsertest proves the pages in headless Chromium: at the width of a
// phone and of a desktop, in light and dark, with JavaScript and without, by
// keyboard, and for people who do not see them. `go test -artifacts` keeps its
// screenshots.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axeFile is the accessibility checker, which `make setup` fetches.
const axeFile = "../../../node_modules/axe-core/axe.min.js"

// patience bounds each step in a browser.
const patience = 60 * time.Second

// chromium is the one browser of all tests.
var chromium struct {
	context.Context
	end func()
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer chromium.end()
		return m.Run()
	}())
}

func start() error {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return fmt.Errorf("the browser tests need Chromium: install it by `apt-get install chromium`: %w", err)
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"))
	ctx, endBrowser := chromedp.NewContext(allocator)
	chromium.Context, chromium.end = ctx, func() { endBrowser(); endAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		chromium.end()
		return fmt.Errorf("Chromium at %s does not start: %w", path, err)
	}
	return nil
}

// look is how a person looks at the pages.
type look struct {
	// width is the window's, in pixels. Default: 1280.
	width int64
	dark  bool
	// scriptless is a browser with JavaScript off.
	scriptless bool
	// guest is nobody who is signed in.
	guest bool
}

func (l look) String() string {
	name := fmt.Sprint(l.width)
	if l.dark {
		name += "-dark"
	}
	if l.scriptless {
		name += "-scriptless"
	}
	return name
}

// tab is a window of its own, without cookies of others.
type tab struct {
	context.Context
	t      *testing.T
	origin string

	mu       sync.Mutex
	problems []string
}

// open returns a window that looks at a service. What its console says of
// errors fails the test.
func open(t *testing.T, s *site, l look) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(chromium.Context, chromedp.WithNewBrowserContext())
	b := &tab{Context: ctx, t: t, origin: s.URL}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	if l.width == 0 {
		l.width = 1280
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.scriptless})
	if !l.guest {
		call(b, network.SetCookie, network.SetCookieParams{Name: sessionCookie, Value: s.session, URL: s.URL})
	}
	b.run(chromedp.EmulateViewport(l.width, 900))
	t.Cleanup(func() {
		end()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, problem := range b.problems {
			t.Error("the browser says: " + problem)
		}
	})
	return b
}

func (b *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description
	case *log.EventEntryAdded:
		// A page with an error's status is reported as a network error.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			problem = e.Entry.Text
		}
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

// step does something, within patience, and returns what it gave.
func step[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.Context, patience)
	defer end()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return step(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	step(b, chromedp.Steps(steps...))
}

// visit opens a path of the service.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.origin + path))
}

// value returns what an expression is worth.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	return step(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// await waits until an expression is true, on whatever page comes.
func (b *tab) await(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		// Between two pages there is nothing to ask.
		if ok, err := chromedp.Run(b.Context, chromedp.Evaluate[bool](expression)); ok && err == nil {
			return
		}
		if time.Now().After(end) {
			b.shoot("awaited")
			b.t.Fatalf("not so within %s: %s\n%s", patience, expression, b.text())
		}
	}
}

// awaitPage waits for the page at a path to be there whole.
func (b *tab) awaitPage(path string) {
	b.t.Helper()
	b.await(fmt.Sprintf("document.readyState === 'complete' && location.pathname + location.search === %q", path))
}

// press types keys, wherever the focus is.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

// tabTo moves the focus on by the Tab key until it is at what a selector names.
// Every stop on the way has to show that it has the focus.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	const most = 60
	for range most {
		b.press(kb.Tab)
		if shown := value[string](b, `(() => {
			const at = document.activeElement;
			const outlines = [getComputedStyle(at), getComputedStyle(at, '::after')];
			if (at.closest('label')) outlines.push(getComputedStyle(at.closest('label')));
			return outlines.some((s) => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) ? '' : at.outerHTML;
		})()`); shown != "" {
			b.t.Errorf("the focus cannot be seen at %s", shown)
		}
		if value[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	b.t.Fatalf("%d presses of Tab do not lead to %s", most, selector)
}

// text is what a person reads on the page.
func (b *tab) text() string {
	b.t.Helper()
	return value[string](b, "document.body.innerText")
}

func (b *tab) wantText(wanted ...string) {
	b.t.Helper()
	text := b.text()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			b.t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

// shoot keeps a screenshot of the whole page.
func (b *tab) shoot(name string) {
	b.t.Helper()
	beyond := true
	png := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond}).Data
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		b.t.Error(err)
	}
}

// wantNoOverflow fails where a page is wider than its window.
func (b *tab) wantNoOverflow() {
	b.t.Helper()
	wide := value[[]string](b, `(() => {
		const width = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= width && document.body.scrollWidth <= width) return [];
		return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 1)
			.map((e) => e.outerHTML.slice(0, 120));
	})()`)
	if len(wide) > 0 {
		b.t.Errorf("the page is wider than its window: %s", strings.Join(wide, "\n"))
	}
}

var axe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile(axeFile)
	if err != nil {
		return "", fmt.Errorf("axe-core is missing: `make setup` fetches it: %w", err)
	}
	return string(source), nil
})

// wantAccessible fails for every rule of axe-core that the page violates. It
// needs JavaScript, so that a page without is the last of its window.
func (b *tab) wantAccessible() {
	b.t.Helper()
	source, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	b.run(chromedp.Evaluate[chromedp.Void](source))
	violations := value[[]string](b, `axe.run().then(({ violations }) => violations.map((v) =>
		v.id + ': ' + v.help + '\n' + v.nodes.map((n) => '    ' + n.html + ' ' + n.failureSummary).join('\n')))`)
	for _, v := range violations {
		b.t.Error("axe: " + v)
	}
	// A name of what has no role is not read by all.
	for _, v := range value[[]string](b, `[...document.querySelectorAll('[aria-label]')].filter((e) =>
		!e.matches('[role], a[href], button, form, input, nav, section, select')).map((e) => e.outerHTML)`) {
		b.t.Error("aria-label without a role: " + v)
	}
}
