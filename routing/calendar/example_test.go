package calendar_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/routing/calendar"
)

// Opening hours with a holiday and the first Saturday of each month.
func Example() {
	hours := calendar.Windows{
		TimeZone: "Europe/Berlin",
		Weekly:   []string{"mon-fri 08:00-18:00"},
		RRule:    []calendar.Recurrence{{Rule: "FREQ=MONTHLY;BYDAY=1SA", Start: "2026-01-03 10:00", Duration: "4h"}},
		Except:   []string{"2026-12-24..2026-12-26"},
	}
	var reader calendar.Reader
	reader.Check(&hours, func(path, message string) { fmt.Println(path, message) })
	window := reader.Compile(&hours)
	for _, at := range []time.Time{
		time.Date(2026, 12, 23, 9, 0, 0, 0, time.UTC), // a Wednesday
		time.Date(2026, 12, 24, 9, 0, 0, 0, time.UTC),
		time.Date(2027, 1, 2, 9, 0, 0, 0, time.UTC), // the first Saturday
	} {
		fmt.Println(at.Format(time.DateOnly), window.Open(at))
	}
	fmt.Println(window.WhyClosed(time.Date(2026, 12, 24, 9, 0, 0, 0, time.UTC)))
	// Output:
	// 2026-12-23 true
	// 2026-12-24 false
	// 2027-01-02 true
	// its time window is closed at Thu 10:00 Europe/Berlin, an exception on 2026-12-24
}
