// Package web serves the directory: pages that work without JavaScript, a JSON
// API, photos, and what a load balancer asks for.
package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/archipelago-cdk/archipelago/service/setting"
)

// Limits of a request.
const (
	// maxBody is where a request is cut off. It is above the largest photo, so
	// that one somewhat too large is answered and not cut off.
	maxBody = 4 * directory.MaxPhotoBytes
	// pageSize is how many employees a page of the list has: whole rows of two,
	// three and four.
	pageSize = 24
)

// Options are what the pages are made from.
type Options struct {
	// Employees and Photos are the stores. Required.
	Employees directory.Employees
	Photos    directory.Photos
	// Processor makes pictures of uploads. Default: one with its defaults.
	Processor *photo.Processor
	// Island returns where the service runs. Required.
	Island func() Island
	// Accounts and Sessions are the stores of who may sign in and who has.
	// Required.
	Accounts directory.Accounts
	Sessions directory.Sessions
	// SignedInReads asks for an account to read too. Default: false.
	SignedInReads bool
	// TrustedProxies are whose X-Forwarded headers tell the truth. Default: none.
	TrustedProxies []netip.Prefix
	// WriteRate is how many writes a second an account may make for long; ten
	// times as many at once. Default: 10.
	WriteRate float64
	// LoadGenerator lets people burn CPU on purpose. Default: false.
	LoadGenerator bool
	// Unheard reports whether nothing says that the fleet reaches its stores. Default: false.
	Unheard bool
	// ImageSources are the origins that photos come from besides the service,
	// as a Content-Security-Policy names them. Default: none.
	ImageSources []string
	// AllowCleartext allows writes over HTTP from other machines. Default: false.
	AllowCleartext bool
	// Now returns the present. Default: time.Now.
	Now func() time.Time
	// Log takes a line for each request. Required.
	Log *slog.Logger
}

// Server is the service's handler.
type Server struct {
	Options
	handler   http.Handler
	pages     *pages
	totals    *totals
	accounts  *account.Accounts
	sessions  *sessions
	writes    *writeLimits
	load      *load
	ready     *check
	sightings sightings
	draining  atomic.Bool
}

// New returns the handler of all routes.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.WriteRate == 0 {
		o.WriteRate = defaultWriteRate
	}
	s := &Server{
		Options: o, load: newLoad(spin),
		pages:  newKept[pageKey, *page](cachedPages, cachedFor),
		totals: newKept[directory.Query, *atomic.Int64](keptTotals, totalFor),
	}
	s.Employees = askedEmployees{o.Employees}
	s.Photos = askedPhotos{o.Photos}
	s.Accounts = askedAccounts{o.Accounts}
	s.Sessions = askedSessions{o.Sessions}
	s.ready = &check{of: s.askStores}
	if o.Processor == nil {
		s.Processor = photo.New(photo.Options{})
	}
	s.accounts = account.New(s.Accounts, s.Sessions, s.Now)
	s.sessions = newSessions(s.Options)
	s.writes = newWriteLimits(s.WriteRate)
	mux := http.NewServeMux()
	page := func(pattern string, who access, h func(http.ResponseWriter, *http.Request) error) {
		mux.Handle(pattern, s.protect(who, s.errors(func(w http.ResponseWriter, r *http.Request) error { return h(w, s.withFlash(w, r)) })))
	}
	page("GET /{$}", reading, s.list)
	page("GET /locations", reading, s.locations)
	page("GET /employees/new", members, s.newForm)
	// Where somebody gets who shortens an address, or opens that of a form again.
	mux.Handle("GET /employees", http.RedirectHandler("/", http.StatusMovedPermanently))
	mux.Handle("GET /employees/{$}", http.RedirectHandler("/", http.StatusMovedPermanently))
	page("POST /employees", writing, s.create)
	page("GET /employees/{id}", reading, s.detail)
	page("GET /employees/{id}/edit", members, s.editForm)
	page("POST /employees/{id}", writing, s.update)
	page("GET /employees/{id}/delete", members, s.deleteForm)
	page("POST /employees/{id}/delete", writing, s.delete)
	photos := anyone
	if s.SignedInReads {
		photos = reading
	}
	page("GET /photos/{id}/{file}", photos, s.photo)
	page("GET "+signInPath, signingIn, s.signInForm)
	page("POST "+signInPath, signingIn, s.signIn)
	page("POST "+signOutPath, signingIn, s.signOut)
	page("GET "+accountPath, members, s.accountPage)
	page("POST "+accountPath+"/password", writing, s.changePassword)
	page("POST "+accountPath+"/sign-out-everywhere", writing, s.signOutEverywhere)
	page("GET /island", reading, s.island)
	page("GET /islands", reading, s.islands)
	if s.LoadGenerator {
		page("POST /island/load", writing, s.startLoad)
		page("POST /island/load/stop", writing, s.stopLoad)
	}
	page("GET "+setting.LivePath, anyone, s.liveness)
	page("GET "+setting.ReadyPath, anyone, s.readiness)
	page("GET /static/{file}", anyone, s.static)
	s.api(mux)
	unknown := s.errors(s.unknown(mux))
	read, write := s.protect(reading, unknown), s.protect(writing, unknown)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if isRead(r.Method) {
			read.ServeHTTP(w, r)
		} else {
			write.ServeHTTP(w, r)
		}
	})
	s.handler = s.observe(s.secure(s.refuseOtherSites(s.guardCleartext(mux))))
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Drain makes the service say that it is not ready, while it goes on serving,
// and ends what burns CPU.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.load.close()
}
