package dialimport

import (
	"maps"
	"slices"
	"strings"
)

// The fields of a rate deck, to which columns are mapped.
const (
	fieldCode       = "code"       // prefixes, ranges and lists of them
	fieldCountry    = "country"    // the country code, when code is what stands behind it
	fieldNPANXX     = "npanxx"     // North American area code, or that and exchange: +1 is implied
	fieldNXX        = "nxx"        // the exchange, when npanxx is the area code alone
	fieldName       = "name"       // of the destination; it is not kept
	fieldRate       = "rate"       // the price of a minute
	fieldRateFirst  = "rate_first" // the price of a minute of the first step, when rate is that of the others
	fieldConnect    = "connect"    // the price of being answered
	fieldDisconnect = "disconnect" // a price at the call's end
	fieldFirst      = "first"      // seconds charged at least
	fieldNext       = "next"       // seconds of each further step
	fieldIncrements = "increments" // both: "60/60"
	fieldFrom       = "from"
	fieldUntil      = "until"
	fieldCurrency   = "currency"
	fieldChange     = "change"  // what happens to the rate: rows that end one are read so
	fieldCarrier    = "carrier" // the deck of the row
)

// deckFields returns the names by which columns are recognised, in small letters and
// digits alone.
func deckFields() map[string][]string {
	return map[string][]string{
		fieldCode: {
			"code", "codes", "prefix", "prefixes", "dialcode", "dialcodes", "dialingcode", "dialprefix", "destinationcode", "destcode", "areacode",
			"areacodes", "areaprefix", "phonecode", "breakout", "vorwahl", "vorwahlen", "rufnummernpraefix", "citycode", "dialedprefix",
			"numberprefix", "digits", "destinationprefix", "destinationprefixes", "destprefix", "dstprefix", "dialedcode", "dialledcode", "dialeddigits",
			"dialleddigits", "dialingprefix", "dialingprefixes", "dialingcodes", "dialprefixes", "destinationcodes", "destcodes", "citycodes",
			"breakoutcode", "breakouts", "prefixcode", "codeprefix", "codedigits", "phoneprefix", "calledprefix", "prefixlist", "dialpattern",
			"e164prefix", "e164", "countryandareacode", "fullcode",
		},
		fieldCountry: {"countrycode", "countryprefix", "cc", "laendervorwahl", "landesvorwahl", "intlcode"},
		fieldNPANXX:  {"npanxx", "npanxxx", "npanxxy", "npanxxprefix", "npanxxcode", "nanpcode", "nanpprefix", "npa"},
		fieldNXX:     {"nxx", "nxxx"},
		fieldName: {
			"name", "destination", "destinationname", "description", "country", "countryname", "zone", "area", "destinationdescription", "codename",
			"ziel", "location",
		},
		fieldRate: {
			"rate", "price", "priceminute", "permin", "perminute", "rateperminute", "ratepermin", "ratemin", "rateminute", "priceperminute",
			"pricepermin", "pricemin",
			"cost", "costperminute", "costpermin", "newrate", "newprice", "sellrate", "buyrate", "preis",
			"preisprominute", "preismin", "preisminute", "minutenpreis", "tarif", "peakrate", "currentrate", "interrate", "chargerate", "tariff",
			"rateperminutes", "minuterate", "minuteprice", "voicerate", "callrate", "outboundrate", "terminationrate", "termrate", "rateinitial",
			"buyingrate", "sellingrate", "nextrate", "raten", "pricen", "ratenext", "pricenext", "subsequentrate", "additionalrate", "rate2",
			"price2", "interstate", "interstaterate", "ratevalue", "newratepermin", "newrateperminute", "effectiverate", "offerrate", "ratesperminute",
		},
		fieldRateFirst:  {"ratefirst", "firstrate", "pricefirst", "firstprice", "rate1", "price1", "initialrate", "initialprice", "rate1st", "price1st"},
		fieldDisconnect: {"disconnect", "disconnectcharge", "disconnectfee", "disconnectioncharge", "disconnectionfee", "disconnectcost"},
		fieldConnect: {
			"connect", "connectfee", "connectionfee", "connectcharge", "connectioncharge", "setup", "setupfee", "setupcharge", "callsetup",
			"surcharge", "connectcost", "flagfall", "verbindungsentgelt",
		},
		fieldFirst: {
			"first", "firstinterval", "firstincrement", "minimum", "min", "minduration", "minimumduration", "initialincrement", "minimumincrement",
			"minincrement",
			"firstperiod", "initialperiod", "interval1", "intervalstart", "startinterval", "intervalfirst", "minimumcharge", "mintime", "initial",
			"firstseconds", "minimumseconds", "initblock", "initialblock", "firstblock", "initialinterval", "minblock", "firstpulse", "1stinterval",
			"1stincrement", "initincrement", "increment1", "firstbilling", "minimumtime", "minbillingtime", "firstbillingincrement",
			"initialbillingincrement",
		},
		fieldNext: {
			"next", "nextinterval", "nextincrement", "increment", "subsequent", "subsequentincrement", "additionalincrement", "interval2",
			"intervaln", "recurringinterval",
			"billingincrement", "secondincrement", "nextperiod", "subsequentperiod", "nextseconds", "step", "intervall",
			"billingblock", "nextblock", "incrementn", "increment2", "nextpulse", "subsequentinterval", "additionalinterval", "stepincrement",
			"subsequentblock", "additionalblock", "2ndinterval", "2ndincrement", "nextbillingincrement", "subsequentbillingincrement",
			"additionalbillingincrement",
		},
		fieldIncrements: {
			"increments", "billingincrements", "billing", "billingterms", "billinginterval", "billingintervals", "takt", "taktung",
			"rounding", "chargingintervals", "pulse", "interval", "intervals", "rateincrement", "rateincrements", "billingincr", "billingrule",
			"billingstep", "billingsteps", "billingunit", "billingcycle", "chargeinterval", "ratinginterval", "ratingincrement", "increm", "incr",
		},
		fieldFrom: {
			"from", "effective", "effectivedate", "effectivefrom", "validfrom", "startdate", "start", "date", "effdate", "gueltigab",
			"activationdate", "begin", "effectdate", "effectivedatetime", "effectivetime", "effectivedateandtime", "activedate", "activefrom", "fromdate",
			"datefrom", "applicablefrom", "ratestart", "startingdate", "dateofeffect", "begindate", "validfromdate", "effectivestartdate",
			"effectivestart", "effectiveon", "newratedate", "datestart",
		},
		fieldUntil: {
			"until", "enddate", "end", "validuntil", "validto", "expiry", "expirydate", "expirationdate", "gueltigbis", "effectiveto",
			"to", "discontinueddate", "effectiveenddate", "effectiveend", "dateto", "todate", "expires", "expireson", "endingdate", "stopdate", "ratesend",
			"rateend", "validtodate", "dateend", "effectiveuntil",
		},
		fieldCurrency: {"currency", "curr", "ccy", "waehrung"},
		fieldChange:   {"change", "changecode", "changetype", "status", "action", "ratechange", "changeindicator", "comment", "comments", "changes"},
		fieldCarrier:  {"carrier", "vendor", "supplier", "provider", "trunk", "deck"},
	}
}

// DeckFields lists the fields that the columns of a rate deck are mapped to.
func DeckFields() []string { return slices.Sorted(maps.Keys(deckFields())) }

func fieldList() string { return strings.Join(DeckFields(), ", ") }
