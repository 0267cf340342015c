package dialimport

import (
	"slices"
	"strings"
	"unicode"
)

// dollars are the currencies that are written "$", and yens those that are written
// "¥".
const (
	dollars = "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP BSD BBD BZD FJD JMD TTD XCD"
	yens    = "JPY CNY"
)

// moneyNames returns the currencies that decks name in their headers, where any
// three letters may be a word.
func moneyNames() []string {
	return strings.Fields(dollars + " " + yens + " EUR GBP CHF SEK NOK DKK ISK PLN CZK HUF RON BGN TRY RUB UAH GEL BRL PEN ZAR NGN KES " +
		"EGP MAD AED SAR QAR KWD BHD OMR ILS INR PKR BDT LKR THB MYR IDR PHP VND KRW")
}

// moneyOf returns the currencies that a price may be in by what stands beside its
// digits, "€ 0.01" or "0.01 USD", or a column by its name, "Rate (USD/min)" or
// "rate_eur"; nil if nothing says so.
func moneyOf(text string, header bool) []string {
	if strings.Trim(text, "0123456789.,+- ") == "" {
		return nil // as nearly all
	}
	for sign, list := range map[string]string{"€": "EUR", "£": "GBP", "$": dollars, "¥": yens} {
		if strings.Contains(text, sign) {
			return strings.Fields(list)
		}
	}
	known := moneyNames()
	for word := range strings.FieldsFuncSeq(strings.ToUpper(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch {
		case !header && isCurrency(word), slices.Contains(known, word):
			return []string{word}
		case header && len(word) > 3: // "rateusd", "usdmin"
			for _, c := range []string{word[:3], word[len(word)-3:]} {
				if c == "USD" || c == "EUR" || c == "GBP" {
					return []string{c}
				}
			}
		}
	}
	return nil
}

// money compares the row's currency with that of the other rows. It is that of the
// currency column, else of the price, else of the name of the price's column.
func (d *decks) money(at place, row []string) bool {
	text := strings.ToUpper(d.columns.get(row, fieldCurrency))
	if text == "" {
		return d.sign(at, row)
	}
	if !isCurrency(text) {
		d.report.skip(at, "currency "+text, "it is not three letters of ISO 4217")
		return false
	}
	if d.currency == "" {
		d.currency = text
	}
	if text != d.currency {
		d.report.skip(at, "currency "+text, "a rule set has one currency, and this is of %s", d.currency)
		return false
	}
	return true
}

func (d *decks) sign(at place, row []string) bool {
	for _, field := range [...]string{fieldRate, fieldRateFirst, fieldConnect, fieldDisconnect} {
		what := d.columns.get(row, field)
		said := moneyOf(what, false)
		if i, ok := d.columns.at[field]; ok && said == nil && what != "" {
			what = d.columns.names[i]
			said = d.columns.money[field]
		}
		switch {
		case said == nil:
		case d.currency == "" && len(said) == 1:
			d.currency = said[0]
		case d.currency != "" && !slices.Contains(said, d.currency):
			d.report.skip(at, field+" "+what, "it is in another currency than the deck's, %s", d.currency)
			return false
		}
	}
	return true
}
