//go:build (darwin || linux || windows) && (amd64 || arm64)

package module

import "fmt"

// code is CK_RV, what a function returns.
type code ulong

// The codes that are told apart.
const (
	ok                      code = 0x000
	errFunctionNotSupported code = 0x054
	errPINIncorrect         code = 0x0a0
	errPINInvalid           code = 0x0a1
	errPINLenRange          code = 0x0a2
	errPINExpired           code = 0x0a3
	errPINLocked            code = 0x0a4
	errAlreadyLoggedIn      code = 0x100
	errNotLoggedIn          code = 0x101
	errPINNotInitialized    code = 0x102
)

// names are how the standard spells the codes that people meet.
var names = map[code]string{
	0x002: "CKR_HOST_MEMORY", 0x003: "CKR_SLOT_ID_INVALID", 0x005: "CKR_GENERAL_ERROR", 0x006: "CKR_FUNCTION_FAILED",
	0x007: "CKR_ARGUMENTS_BAD", 0x00a: "CKR_CANT_LOCK", 0x012: "CKR_ATTRIBUTE_TYPE_INVALID", 0x021: "CKR_DATA_LEN_RANGE",
	0x030: "CKR_DEVICE_ERROR", 0x031: "CKR_DEVICE_MEMORY", 0x032: "CKR_DEVICE_REMOVED", 0x050: "CKR_FUNCTION_CANCELED",
	errFunctionNotSupported: "CKR_FUNCTION_NOT_SUPPORTED", 0x063: "CKR_KEY_TYPE_INCONSISTENT", 0x068: "CKR_KEY_FUNCTION_NOT_PERMITTED",
	0x070: "CKR_MECHANISM_INVALID", errPINIncorrect: "CKR_PIN_INCORRECT", errPINInvalid: "CKR_PIN_INVALID",
	errPINLenRange: "CKR_PIN_LEN_RANGE", errPINExpired: "CKR_PIN_EXPIRED", errPINLocked: "CKR_PIN_LOCKED",
	0x090: "CKR_OPERATION_ACTIVE", 0x150: "CKR_BUFFER_TOO_SMALL",
	0x0b1: "CKR_SESSION_COUNT, as other programs have all the sessions that it allows", 0x0b3: "CKR_SESSION_HANDLE_INVALID", 0x0e0: "CKR_TOKEN_NOT_PRESENT", 0x0e1: "CKR_TOKEN_NOT_RECOGNIZED",
	errAlreadyLoggedIn: "CKR_USER_ALREADY_LOGGED_IN", errNotLoggedIn: "CKR_USER_NOT_LOGGED_IN", errPINNotInitialized: "CKR_USER_PIN_NOT_INITIALIZED",
	0x190: "CKR_CRYPTOKI_NOT_INITIALIZED",
}

// Error spells the code as the standard does.
func (c code) Error() string {
	if name, known := names[c]; known {
		return name
	}
	return fmt.Sprintf("error %#x", ulong(c))
}
