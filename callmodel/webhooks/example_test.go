package webhooks_test

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// A receiver makes the signature of what it was sent, and compares.
func ExampleSign() {
	key, err := webhooks.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").Key()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(webhooks.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)))
	// Output: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
}
