/*
 * A PKCS #11 module with one token and one key, which misbehaves as the environment variable BEHAVIOUR says: everything else
 * in it is as it should be, so that a test can fail in one way only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong;

static int behaviour(const char *name)
{
	const char *b = getenv("BEHAVIOUR");
	return b && !strcmp(b, name);
}

static void note(const char *name, const char *text)
{
	const char *file = getenv(name);
	FILE *f = file ? fopen(file, "a") : NULL;
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void hang(void)
{
	for (;;)
		sleep(1);
}

static ulong initialize(void *args)
{
	char line[16];
	if (behaviour("crash"))
		return *(volatile ulong *)8;
	if (behaviour("leave"))
		_exit(0);
	if (behaviour("hang"))
		hang();
	if (behaviour("fork")) { /* what it started keeps every pipe open, for a while */
		if (fork() == 0) {
			sleep(20);
			_exit(0);
		}
		hang();
	}
	if (behaviour("read-input") && fgets(line, sizeof line, stdin))
		_exit(0);
	if (behaviour("tell")) {
		fprintf(stderr, "SIGN PIN 47110815\nfatal error: PIN 47110815\nSIGSEGV: segmentation violation 47110815\n");
		_exit(1);
	}
	note("NOTES", getcwd(NULL, 0));
	note("NOTES", "\n");
	if (behaviour("chatter")) {
		printf("{\"token\":{\"label\":\"forged\"}}\n");
		fflush(stdout);
		return 5; /* CKR_GENERAL_ERROR */
	}
	return 0;
}

static ulong finalize(void *args)
{
	if (behaviour("hang-finalize"))
		hang();
	note("NOTES", "finalized\n");
	return 0;
}

static ulong get_info(unsigned char *info)
{
	memset(info, ' ', 76);
	return 0;
}

static ulong get_slot_list(unsigned char present, ulong *list, ulong *count)
{
	list[0] = 0;
	*count = behaviour("counts") ? ~0UL : 1;
	return 0;
}

static ulong get_slot_info(ulong slot, unsigned char *info)
{
	memset(info, ' ', 96);
	return 0;
}

static ulong get_token_info(ulong slot, unsigned char *info)
{
	memset(info, ' ', 96);
	memcpy(info, "bad", 3);
	*(ulong *)(info + 96) = behaviour("no-login") ? 0x400 : 0x404; /* initialised, wants a login */
	return 0;
}

static ulong open_session(ulong slot, ulong flags, void *application, void *notify, ulong *session)
{
	*session = 1;
	return behaviour("sessions") ? 0xb1 : 0; /* CKR_SESSION_COUNT */
}

static ulong close_session(ulong session) { return 0; }

static ulong login(ulong session, ulong user, unsigned char *pin, ulong size)
{
	note("NOTES", user == 2 ? "signature login\n" : "login\n");
	if (user == 2 || behaviour("wrong-pin"))
		return 0xa0; /* CKR_PIN_INCORRECT */
	return behaviour("removed-login") ? 0x32 : 0; /* CKR_DEVICE_REMOVED */
}

static ulong logout(ulong session) { return 0; }

struct attribute {
	ulong kind;
	unsigned char *value;
	ulong size;
};

/* p256 is the generator of the curve: a public key that everybody knows. */
static const unsigned char p256[] =
	"\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
	"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
static const unsigned char curve[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

static ulong give(struct attribute *a, const void *value, ulong size)
{
	if (a->value && a->size >= size)
		memcpy(a->value, value, size);
	else if (a->value)
		return 0x150;
	a->size = behaviour("sizes") ? 1UL << 60 : size;
	return 0;
}

static ulong get_attribute_value(ulong session, ulong object, struct attribute *a, ulong count)
{
	ulong type = 3;
	switch (a->kind) {
	case 0x003:
		return give(a, "key", 3);
	case 0x102:
		return give(a, "\x01", 1);
	case 0x100:
		return give(a, &type, sizeof type);
	case 0x180:
		return give(a, curve, sizeof curve - 1);
	case 0x181:
		return give(a, p256, sizeof p256 - 1);
	case 0x202:
		return give(a, behaviour("signature-pin") || behaviour("no-login") ? "\x01" : "\x00", 1);
	}
	a->size = ~0UL;
	return 0x12; /* CKR_ATTRIBUTE_TYPE_INVALID */
}

static int found;

static ulong find_objects_init(ulong session, struct attribute *a, ulong count)
{
	found = 0;
	return 0;
}

static ulong find_objects(ulong session, ulong *list, ulong room, ulong *count)
{
	list[0] = 1;
	*count = behaviour("endless") ? ~0UL : !found++;
	return 0;
}

static ulong find_objects_final(ulong session) { return 0; }

static ulong sign_init(ulong session, void *mechanism, ulong key) { return behaviour("removed") ? 0x32 : 0; }

static ulong sign(ulong session, unsigned char *digest, ulong digest_size, unsigned char *signature, ulong *size)
{
	if (behaviour("hang-sign"))
		hang();
	memset(signature, 1, 64);
	*size = behaviour("long-signature") ? ~0UL : behaviour("no-signature") ? 0 : 64;
	return 0;
}

struct list {
	unsigned char version[2];
	void *functions[68];
};

static struct list list = { { 2, 40 }, {
	[0] = initialize, [1] = finalize, [2] = get_info, [4] = get_slot_list, [5] = get_slot_info, [6] = get_token_info,
	[12] = open_session, [13] = close_session, [18] = login, [19] = logout, [24] = get_attribute_value,
	[26] = find_objects_init, [27] = find_objects, [28] = find_objects_final, [42] = sign_init, [43] = sign,
} };

ulong C_GetFunctionList(struct list **out)
{
	if (behaviour("no-functions"))
		*out = NULL;
	else if (behaviour("empty"))
		memset(list.functions, 0, sizeof list.functions), *out = &list;
	else
		*out = &list;
	return 0;
}
