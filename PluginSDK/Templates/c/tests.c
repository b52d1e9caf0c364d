/* The plugin's own logic, without a gateway: the source is part of this file, so its static functions are in reach. */
#include "plugin.c"

#undef NDEBUG
#include <assert.h>

static int accepts(const char *settings, const char *greeting) {
  char read[GREETING_BYTES + 1];
  return read_settings(text(settings), read) == NULL && strcmp(read, greeting) == 0;
}

static int refuses(const char *settings) {
  char read[GREETING_BYTES + 1];
  return read_settings(text(settings), read) != NULL;
}

static void reads_its_settings(void) {
  assert(accepts("", "Hello"));
  assert(accepts("{}", "Hello"));
  assert(accepts("{\"greeting\":\"Moin\"}", "Moin"));
  assert(accepts(" {\n \"greeting\" : \"Gr\xC3\xBC\xC3\x9F dich\" } ", "Gr\xC3\xBC\xC3\x9F dich"));
  assert(refuses("{\"greetings\":\"Moin\"}"));
  assert(refuses("{\"greeting\":\"\"}"));
  assert(refuses("{\"greeting\":1}"));
  assert(refuses("{\"greeting\":\"a\\nb\"}"));
  assert(refuses("[]"));
  const char *whole = "{\"greeting\":\"Moin\"}";
  for (size_t cut = 1; cut < strlen(whole); cut++) {
    char read[GREETING_BYTES + 1];
    gw_bytes part = {(const uint8_t *)whole, cut};
    assert(read_settings(part, read) != NULL);
  }
}

static void bounds_the_greeting(void) {
  char settings[GREETING_BYTES + 64], longest[GREETING_BYTES + 1];
  memset(longest, 'x', GREETING_BYTES);
  longest[GREETING_BYTES] = 0;
  snprintf(settings, sizeof settings, "{\"greeting\":\"%s\"}", longest);
  assert(accepts(settings, longest));
  snprintf(settings, sizeof settings, "{\"greeting\":\"%sx\"}", longest);
  assert(refuses(settings));
}

static void escapes_what_json_needs(void) {
  char out[ESCAPED(4) + 1];
  escape(text("a\"\\\n"), out);
  assert(strcmp(out, "a\\\"\\\\\\u000a") == 0);
  escape(text(""), out);
  assert(strcmp(out, "") == 0);
}

static void knows_utf8(void) {
  assert(is_utf8(text("")) && is_utf8(text("a\x7F\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x9D")));
  assert(!is_utf8(text("\xFF")) && !is_utf8(text("\xC3")) && !is_utf8(text("\xE2\x82")) && !is_utf8(text("\x80")));
  assert(!is_utf8(text("\xC0\xAF")) && !is_utf8(text("\xED\xA0\x80")) && !is_utf8(text("\xF4\x90\x80\x80")));
}

static void reads_a_count(void) {
  uint64_t count;
  assert(read_count(text("0"), &count) && count == 0);
  assert(read_count(text("999999999999999999"), &count) && count == 999999999999999999u);
  assert(!read_count(text(""), &count));
  assert(!read_count(text("1000000000000000000"), &count));
  assert(!read_count(text("1 "), &count));
  assert(!read_count(text("-1"), &count));
}

int main(void) {
  reads_its_settings();
  bounds_the_greeting();
  escapes_what_json_needs();
  knows_utf8();
  reads_a_count();
  puts("tests.c: passed");
  return 0;
}
