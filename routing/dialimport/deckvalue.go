package dialimport

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
)

func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// price reads an amount with a decimal point or comma, with a currency's sign
// or name beside it: "0.0123", "0,0123", "1.234,50", "$ 0.01", "1E-05". rounded
// reports that it had more than 8 decimals.
func price(s string) (a callmodel.Amount, rounded bool, err error) {
	s = strings.TrimSpace(strings.Trim(s, "€$£¥ ABCDEFGHIJKLMNOPQRSTUVWXYZ'"))
	point, comma := strings.LastIndexByte(s, '.'), strings.LastIndexByte(s, ',')
	if point >= 0 && comma >= 0 { // the last is the decimal one, the other groups thousands
		group := ","
		if comma > point {
			group = "."
		}
		s = strings.ReplaceAll(s, group, "")
	}
	s = strings.Replace(s, ",", ".", 1)
	if a, err = callmodel.ParseAmount(s); err == nil {
		return a, false, nil
	}
	const most = 32
	if len(s) > most || s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false, errors.New("it is no price")
	}
	if mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n < -30 || n > 9 || mantissa == "" {
			return 0, false, errors.New("it is no price")
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, false, errors.New("it is no price")
	}
	text := r.FloatString(callmodel.AmountDecimals)
	back, ok := new(big.Rat).SetString(text)
	a, err = callmodel.ParseAmount(text)
	return a, !ok || back.Cmp(r) != 0, err
}

// dateLayouts returns the layouts that can be read in one way only.
func dateLayouts() [12]string {
	return [...]string{
		"2006-01-02", "2006/01/02", "20060102", "2.1.2006", "2-Jan-2006", "2-Jan-06", "2 Jan 2006", "Jan 2, 2006", "Jan 2 2006", "2 January 2006",
		"January 2, 2006", "2/Jan/2006",
	}
}

// dateOrder says how day and month of a date were told apart.
type dateOrder uint8

const (
	orderClear      dateOrder = iota
	orderGuessed              // both may be either; the day was taken to be first
	orderMonthFirst           // the second can't be a month, though the day was to be first
)

// date reads a date or a time. day reports that it is a whole day.
func date(s string, loc *time.Location, monthFirst bool) (t time.Time, day bool, order dateOrder, err error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.Truncate(time.Second), false, orderClear, nil
	}
	days, clock := s, ""
	if i := strings.LastIndexByte(s, ':'); i > 0 { // "2026-01-31 00:00:00"
		if i = strings.IndexAny(s, " T"); i > 0 {
			days, clock = s[:i], strings.TrimSpace(s[i+1:])
		}
	}
	t, order, err = calendarDate(days, loc, monthFirst)
	if err != nil || clock == "" {
		return t, true, order, err
	}
	for _, layout := range [...]string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM", "15:04:05.999999"} {
		if c, err := time.Parse(layout, clock); err == nil {
			midnight := c.Hour() == 0 && c.Minute() == 0 && c.Second() == 0
			return time.Date(t.Year(), t.Month(), t.Day(), c.Hour(), c.Minute(), c.Second(), 0, loc), midnight, order, nil
		}
	}
	return t, false, orderClear, fmt.Errorf("%q is no date", short(s))
}

func calendarDate(s string, loc *time.Location, monthFirst bool) (t time.Time, order dateOrder, err error) {
	for _, layout := range dateLayouts() {
		if t, err = time.ParseInLocation(layout, s, loc); err == nil {
			return t, orderClear, nil
		}
	}
	layouts := [2]string{"2/1/2006", "1/2/2006"}
	if strings.Contains(s, "-") {
		layouts = [2]string{"2-1-2006", "1-2-2006"}
	}
	dayFirst, dayErr := time.ParseInLocation(layouts[0], s, loc)
	first, monthErr := time.ParseInLocation(layouts[1], s, loc)
	isDay, isMonth := dayErr == nil, monthErr == nil
	switch {
	case !isDay && !isMonth:
		return t, orderClear, fmt.Errorf("%q is no date", short(s))
	case monthFirst && !isMonth:
		return t, orderClear, fmt.Errorf("%q is no date with the month first", short(s))
	case monthFirst:
		return first, orderClear, nil
	case !isDay:
		return first, orderMonthFirst, nil
	case isMonth && !first.Equal(dayFirst):
		return dayFirst, orderGuessed, nil
	}
	return dayFirst, orderClear, nil
}

// increments reads "60/60", "30+6", or one number for both, in seconds.
func increments(s string) (first, next time.Duration, err error) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/-+:|, ", r) })
	if len(parts) == 0 || len(parts) > 2 {
		return 0, 0, errors.New("they are not like 60/60")
	}
	if first, err = seconds(parts[0]); err != nil {
		return 0, 0, err
	}
	next = first
	if len(parts) == 2 {
		next, err = seconds(parts[1])
	}
	return first, next, err
}

// seconds reads a number of seconds, 0 to 3600.
func seconds(s string) (time.Duration, error) {
	s = strings.TrimSpace(strings.TrimRight(strings.ToLower(s), "second. "))
	s = strings.TrimSuffix(strings.TrimSuffix(s, ".0"), ",0")
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 3600 {
		return 0, errors.New("it is not 1 to 3600 seconds")
	}
	return time.Duration(n) * time.Second, nil
}

// maxCodes bounds the prefixes of one row.
const maxCodes = 10_000

// codeForm is how the codes of a row are written.
type codeForm struct {
	country       string  // stands before each
	access        *string // what stands before a country code; nil: a plus, 00 or nothing
	northAmerican bool    // of the North American Numbering Plan, without their 1
}

// An area code and an exchange with something between them: "201-555", "1 (201) 555".
var areaAndExchange = regexp.MustCompile(`^\s*\+?1?[-. (]*([2-9][0-9]{2})[-. )/]+([2-9][0-9]{2}[0-9]?)\s*$`)

// codes reads a list of prefixes: "7700, 7701", "8201-8209", "44-7700; 7701", "^93.*",
// with the country code before them if it is known. Each is given to yield with a
// plus.
func (f *codeForm) codes(s string, yield func(prefix string)) error {
	country, err := f.bare(f.country)
	if err != nil {
		return err
	}
	if country != "" && !e164.Digits(country) {
		return fmt.Errorf("the country code %q is not of digits", short(country))
	}
	n := 0
	put := func(code string) error {
		switch {
		case !f.northAmerican:
			code = country + code
		case strings.HasPrefix(code, "011"): // as it is dialled there
			code = code[len("011"):]
		case !strings.HasPrefix(code, "1"):
			code = "1" + code
		}
		switch {
		case code == "" || !e164.Digits(code):
			return fmt.Errorf("%q is not of digits", short(code))
		case code[0] == '0':
			return fmt.Errorf("%q begins with 0, which no country code does", short(code))
		case f.northAmerican && code[0] == '1' && len(code) > 1 && code[1] < '2':
			return fmt.Errorf("%q begins with %s behind the 1 of North America, which no area code does", short(code), code[1:2])
		case len(code) > e164.MaxDigits:
			return fmt.Errorf("%q is longer than any number", short(code))
		}
		if n++; n > maxCodes {
			return fmt.Errorf("there are more than %d", maxCodes)
		}
		yield("+" + code)
		return nil
	}
	if strings.TrimSpace(s) == "" {
		if country == "" {
			return errors.New("there is no code")
		}
		return put("")
	}
	if f.northAmerican {
		if m := areaAndExchange.FindStringSubmatch(s); m != nil {
			return put(m[1] + m[2])
		}
	}
	split := func(r rune) bool { return strings.ContainsRune(",;/| \t\n&", r) }
	for item := range strings.FieldsFuncSeq(strings.ReplaceAll(strings.ReplaceAll(s, " -", "-"), "- ", "-"), split) {
		digits, err := f.bare(prefixOf(item))
		if err != nil {
			return err
		}
		parts := strings.Split(digits, "-")
		if len(parts) == 3 || len(parts) == 2 && len(parts[0]) != len(parts[1]) {
			// "44-7700": a country code, which holds for what follows too.
			country, parts = parts[0], parts[1:]
			if !e164.Digits(country) {
				return fmt.Errorf("%q is no code", short(item))
			}
		}
		switch {
		case len(parts) == 1:
			err = put(parts[0])
		case len(parts) > 2:
			err = fmt.Errorf("%q is no code", short(item))
		case len(parts[0]) <= 2 && country == "":
			err = fmt.Errorf("%q may be a range or a country code with what stands behind it; write it out", short(item))
		default:
			err = span(parts[0], parts[1], put)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prefixOf returns the digits of a pattern that asks for a number's first ones: "^93.*"
// as FreeSWITCH and A2Billing write it, "93%" as SQL does, "_93." as Asterisk does.
func prefixOf(item string) string {
	item = strings.TrimPrefix(strings.TrimPrefix(item, "^"), "_")
	item = strings.Replace(item, `\+`, "+", 1)
	for _, rest := range [...]string{"$", ".*", ".+", "%", `\d*`, "[0-9]*", "*", "."} {
		if rest == "$" && !strings.HasSuffix(item, "*$") {
			continue // a number, not a prefix
		}
		item = strings.TrimSuffix(item, rest)
	}
	return item
}

// bare returns a code without what stands before international numbers.
func (f *codeForm) bare(s string) (string, error) {
	s = strings.TrimSpace(s)
	if f.access != nil {
		rest, ok := strings.CutPrefix(s, *f.access)
		if !ok && s != "" && f.country == "" {
			return "", fmt.Errorf("%q doesn't begin with %s, as the deck's codes are said to", short(s), *f.access)
		}
		return rest, nil
	}
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		return rest, nil
	}
	return strings.TrimPrefix(s, "00"), nil
}

// span gives the fewest prefixes that cover the numbers from one to the other,
// which have as many digits.
func span(from, to string, put func(string) error) error {
	const most = 15
	low, lerr := strconv.ParseUint(from, 10, 60)
	high, herr := strconv.ParseUint(to, 10, 60)
	if lerr != nil || herr != nil || low > high || len(from) > most {
		return fmt.Errorf("%q to %q is no range", short(from), short(to))
	}
	for low <= high {
		step, width := uint64(1), len(from)
		for low%(step*10) == 0 && low+step*10-1 <= high && width > 1 {
			step, width = step*10, width-1
		}
		code := fmt.Sprintf("%0*d", width, low/step)
		if err := put(code); err != nil {
			return err
		}
		low += step
	}
	return nil
}
