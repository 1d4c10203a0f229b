package browsertest

import (
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestSignInOnTheWay adds an employee as somebody who has not signed in yet.
func TestSignInOnTheWay(t *testing.T) {
	for _, l := range []look{{width: 1280, guest: true}, {width: 390, guest: true, scriptless: true}} {
		t.Run(l.String(), func(t *testing.T) {
			b := open(t, serve(t, nil, nil), l)
			b.visit("/")
			b.tabTo("main [href='/employees/new']")
			b.press(kb.Enter)
			b.awaitPage("/sign-in?next=%2Femployees%2Fnew")
			b.tabTo("[name=name]")
			b.press(accountName)
			b.tabTo("[name=password]")
			b.press("stormy weather")
			b.press(kb.Enter)
			b.await("!!document.querySelector('.problem')")
			b.wantText("The name or the password is wrong.")
			if got := value[string](b, "document.querySelector('[name=name]').value"); got != accountName {
				t.Errorf("the name is %q now", got)
			}
			b.wantNoOverflow()
			b.shoot("wrong-password")
			b.tabTo("[name=password]")
			b.press(password)
			b.press(kb.Enter)
			b.awaitPage("/employees/new")
			b.wantText("You are signed in.", accountName, "Sign out")
			b.shoot("signed-in")

			b.run(chromedp.Click(".account button"))
			b.awaitPage("/")
			b.await("!!document.querySelector('.flash')")
			b.wantText("You are signed out", "Sign in")
			b.visit("/employees/new")
			b.awaitPage("/sign-in?next=%2Femployees%2Fnew")
		})
	}
}

// TestSessionThatEndsWhileOneTypes loses the session between a form and its
// answer: nothing that was typed is lost.
func TestSessionThatEndsWhileOneTypes(t *testing.T) {
	s := serve(t, nil, nil)
	b := open(t, s, look{width: 1280})
	b.visit("/employees/new")
	b.tabTo("[name=fullName]")
	b.press("Ada Lovelace")
	b.tabTo("[name=jobTitle]")
	b.press("Analyst")
	b.tabTo("[name=location]")
	b.press("London")
	call(b, network.ClearBrowserCookies, cdp.Empty{})
	b.press(kb.Enter)
	b.await("!!document.querySelector('.problem')")
	b.wantText("Nothing was saved", "What you typed is not lost: sign in,")
	b.shoot("unsent")
	b.wantAccessible()
	b.tabTo("[name=name]")
	b.press(accountName)
	b.tabTo("[name=password]")
	b.press(password)
	b.press(kb.Enter)
	b.await("!!document.querySelector('form.employee')")
	b.wantText("You are signed in. Nothing is saved yet")
	b.shoot("resumed")
	b.wantAccessible()
	b.run(chromedp.Click("form .actions button"))
	b.await("!!document.querySelector('.flash')")
	b.wantText("Added.", "Ada Lovelace")
	if e := s.only(t); e.FullName != "Ada Lovelace" || e.Location != "London" {
		t.Errorf("stored is %+v", e)
	}
}
