package broker

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Driver opens what a scheme's URLs name. Its functions connect to nothing and start
// nothing: their errors are faults of the URL.
type Driver struct {
	// Scheme begins the URLs: "nats" those of nats://host. In lower case.
	Scheme string
	// Subscribe opens the subscription at u. Nil: the driver only sends.
	Subscribe func(u *URL) (Subscription, error)
	// OpenTopic opens the topic at u. Nil: the driver only receives.
	OpenTopic func(u *URL) (Topic, error)
}

// Drivers are those that a program links.
type Drivers []Driver

// NotLinkedError says that the program has no driver for a broker. Its code is
// CodeUnsupported.
type NotLinkedError struct {
	Scheme  string // of the URL, like "rabbit"
	Package string // import path of the driver
}

func (e *NotLinkedError) Error() string {
	return fmt.Sprintf("%s:// brokers need %s, which this program doesn't link", e.Scheme, e.Package)
}

// Subscribe opens the subscription at u, by the driver of its scheme.
func (d Drivers) Subscribe(u *URL) (Subscription, error) {
	driver, err := d.find(u)
	if err != nil {
		return nil, err
	}
	if driver.Subscribe == nil {
		return nil, callmodel.Errorf(callmodel.CodeUnsupported, "%s: %s:// brokers can't be received from here", u, u.Scheme)
	}
	return driver.Subscribe(u)
}

// OpenTopic opens the topic at u, by the driver of its scheme.
func (d Drivers) OpenTopic(u *URL) (Topic, error) {
	driver, err := d.find(u)
	if err != nil {
		return nil, err
	}
	if driver.OpenTopic == nil {
		return nil, callmodel.Errorf(callmodel.CodeUnsupported, "%s: %s:// brokers can't be sent to here", u, u.Scheme)
	}
	return driver.OpenTopic(u)
}

func (d Drivers) find(u *URL) (Driver, error) {
	var schemes []string
	for i, driver := range d {
		if driver.Scheme == "" || driver.Scheme != strings.ToLower(driver.Scheme) ||
			slices.ContainsFunc(d[:i], func(other Driver) bool { return other.Scheme == driver.Scheme }) {
			return Driver{}, callmodel.Errorf(callmodel.CodeInvalid, "broker driver %q: it needs a scheme in lower case that no other has", driver.Scheme)
		}
		if driver.Scheme == u.Scheme {
			return driver, nil
		}
		schemes = append(schemes, driver.Scheme)
	}
	if pkg := driverPackage(u.Scheme); pkg != "" {
		return Driver{}, callmodel.Errorf(callmodel.CodeUnsupported, "%w", &NotLinkedError{Scheme: u.Scheme, Package: pkg})
	}
	return Driver{}, callmodel.Errorf(callmodel.CodeInvalid, "broker URL %s: the scheme must be one of %s", u, strings.Join(schemes, ", "))
}

// driverPackage is the import path of the driver that this module has for the scheme,
// "" if it has none.
func driverPackage(scheme string) string {
	const broker = "github.com/switchtape/switchtape/recording/broker/"
	switch scheme {
	case "nats":
		return broker + "nats"
	case "rabbit":
		return broker + "rabbit"
	case "awssqs", "awssns":
		return broker + "sqs"
	case "azuresb":
		return broker + "servicebus"
	case "gcppubsub":
		return broker + "gcppubsub"
	default:
		return ""
	}
}

// URL names a subscription or a topic.
type URL struct {
	Scheme string
	User   *url.Userinfo // nil for none
	// Hosts are the servers, each with its port if it has one: several of a cluster, with
	// commas between them.
	Hosts []string
	Path  string
	Query url.Values
}

// ParseURL reads a URL. One that is none is refused, without its credentials in the error.
func ParseURL(raw string) (*URL, error) {
	bad := func(why string) error { return callmodel.Errorf(callmodel.CodeInvalid, "broker URL: %s", why) }
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return nil, bad("it must be like nats://host:4222?stream=jobs")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	// Several hosts aren't a URL's: they are read one by one.
	u := &URL{Scheme: strings.ToLower(scheme)}
	for i, host := range strings.Split(authority, ",") {
		one, err := url.Parse("x://" + host)
		if err != nil || one.Host != host || host == "" && i > 0 {
			return nil, bad("its hosts must be like host:4222, with commas between them")
		}
		if host != "" {
			u.Hosts = append(u.Hosts, host)
		}
	}
	parsed, err := url.Parse("x://" + user + "host" + rest)
	if err != nil || parsed.Fragment != "" {
		return nil, bad("its user, path or query can't be read; write %40 for @ and %2F for / in a password")
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return nil, bad("its query can't be read")
	}
	u.User, u.Path, u.Query = parsed.User, parsed.Path, query
	return u, nil
}

// String is the URL with xxxxx in the place of its password, and without parameters that may be secrets. A
// user without a password is left out, too: NATS takes it for a token.
func (u *URL) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if _, named := u.User.Password(); named {
		b.WriteString(url.UserPassword(u.User.Username(), "xxxxx").String() + "@")
	}
	b.WriteString(strings.Join(u.Hosts, ",") + (&url.URL{Path: u.Path}).EscapedPath())
	shown := url.Values{}
	for name, values := range u.Query {
		if !secretParameter(name) {
			shown[name] = values
		}
	}
	if len(shown) > 0 {
		b.WriteString("?" + shown.Encode())
	}
	return b.String()
}

// secretParameter reports whether a parameter's value may be a secret.
func secretParameter(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "password", "token", "key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// Take takes a parameter out of the query; "" if it isn't there.
func (u *URL) Take(name string) string {
	v := u.Query.Get(name)
	u.Query.Del(name)
	return v
}

// Left refuses the parameters that nobody took: a misspelt one would change nothing.
func (u *URL) Left() error {
	var faults callmodel.FieldErrors
	for name := range u.Query {
		faults.Add(name, "is not a parameter of %s:// here", u.Scheme)
	}
	slices.SortFunc(faults, func(a, b callmodel.FieldError) int { return strings.Compare(a.Path, b.Path) })
	return faults.Err()
}

func header(headers map[string]string, name string) string {
	if v, ok := headers[name]; ok {
		return v
	}
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}
