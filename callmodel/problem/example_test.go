package problem_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

func ExampleWrite() {
	w := httptest.NewRecorder()
	problem.Write(w, callmodel.FieldErrors{{Path: "to", Message: "is missing; give a telephone number"}})
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"to: is missing; give a telephone number","code":"invalid","errors":[{"path":"to","message":"is missing; give a telephone number"}]}
}
