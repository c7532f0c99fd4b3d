// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An AML reader that steps from term to term and knows few of them. Constants, strings, names and
 * packages are skipped whole, so that their bytes are not parsed as terms. Anything else is skipped
 * as one byte. A misparse is confined to one package. Every position is checked against the end of
 * its package before it is read.
 */
#include "arch/x86/aml.h"
#include "lib/string.h"

#define ZERO_OP	       0x00
#define ONE_OP	       0x01
#define NAME_OP	       0x08
#define BYTE_PREFIX    0x0a
#define WORD_PREFIX    0x0b
#define DWORD_PREFIX   0x0c
#define STRING_PREFIX  0x0d
#define QWORD_PREFIX   0x0e
#define SCOPE_OP       0x10
#define BUFFER_OP      0x11
#define PACKAGE_OP     0x12
#define VAR_PACKAGE_OP 0x13
#define METHOD_OP      0x14
#define EXT_PREFIX     0x5b
#define RETURN_OP      0xa4
#define IF_OP	       0xa0
#define ELSE_OP	       0xa1
#define WHILE_OP       0xa2
#define ONES_OP	       0xff
/* behind EXT_PREFIX */
#define EXT_FIELD	0x81
#define EXT_DEVICE	0x82
#define EXT_INDEX_FIELD 0x86
#define EXT_BANK_FIELD	0x87

#define DUAL_NAME_PREFIX  0x2e
#define MULTI_NAME_PREFIX 0x2f

/* Large resource items (ACPI 6.5, section 6.4.3), and the end tag. */
#define ITEM_MEMORY32_FIXED 0x86
#define ITEM_DWORD	    0x87
#define ITEM_INTERRUPT	    0x89
#define ITEM_QWORD	    0x8a
#define SMALL_END	    0x0f
#define SPACE_MEMORY	    0

/*
 * The most terms visited for each byte of the table. A valid table takes two or three: the search
 * for devices, the search in one device, and the search for the value that its _CRS method returns.
 */
#define WORK_PER_BYTE 32

/* The rest of a part of a table, and how many steps may still be taken. */
struct span {
	const u8 *at;
	const u8 *end;
	u64 *work;
};

static const char *const sentences[AML_ERRORS] = {
	[AML_OK] = "found",
	[AML_NO_DEVICE] = "no ACPI device has that id",
	[AML_NOT_PRESENT] = "the ACPI device says it is not present",
	[AML_NO_CRS] = "the ACPI device has no _CRS that can be read without an interpreter",
	[AML_BAD_CRS] = "the ACPI device's _CRS is damaged",
	[AML_NO_MEMORY] = "the ACPI device's _CRS names no memory",
	[AML_BAD_MEMORY] = "the memory in the ACPI device's _CRS is empty or wraps around",
	[AML_NO_INTERRUPT] = "the ACPI device's _CRS names no interrupt",
	[AML_TOO_LONG] = "the ACPI table takes too long to search",
};

const char *aml_strerror(enum aml_error error)
{
	return error < AML_ERRORS ? sentences[error] : "unknown ACPI error";
}

static size_t left(const struct span *span)
{
	return (size_t)(span->end - span->at);
}

static u64 little_endian(const u8 *bytes, u32 count)
{
	u64 value = 0;

	while (count--)
		value = value << 8 | bytes[count];
	return value;
}

/*
 * Reads a package's length at span->at, moves span past it and gives the package's end. The length
 * counts from its own first byte. False: the package is cut off, or longer than the part that
 * contains it.
 */
static bool take_package(struct span *span, const u8 **end)
{
	const u8 *start = span->at;
	u32 more, length, i;

	if (!left(span))
		return false;
	more = *start >> 6;
	if (left(span) < 1 + more)
		return false;
	length = more ? *start & 0x0f : *start & 0x3f;
	for (i = 0; i < more; i++)
		length |= (u32)start[1 + i] << (4 + 8 * i);
	if (length < 1 + more || length > left(span))
		return false;
	span->at += 1 + more;
	*end = start + length;
	return true;
}

static bool is_name_lead(u8 c)
{
	return (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_segment(const struct span *span)
{
	u32 i;

	if (left(span) < 4 || !is_name_lead(span->at[0]))
		return false;
	for (i = 1; i < 4; i++) {
		if (!is_name_lead(span->at[i]) && !(span->at[i] >= '0' && span->at[i] <= '9'))
			return false;
	}
	return true;
}

/* Reads a name, which may have a path; moves span past it and gives its last segment. */
static bool take_name(struct span *span, const u8 **segment)
{
	u32 count = 1;

	while (left(span) && (*span->at == '\\' || *span->at == '^'))
		span->at++;
	if (left(span) >= 1 && *span->at == DUAL_NAME_PREFIX) {
		count = 2;
		span->at++;
	} else if (left(span) >= 2 && *span->at == MULTI_NAME_PREFIX) {
		count = span->at[1];
		span->at += 2;
	}
	while (count--) {
		if (!is_name_segment(span))
			return false;
		*segment = span->at;
		span->at += 4;
		if (!count)
			return true;
	}
	return false;
}

static bool name_is(const u8 *segment, const char *name)
{
	return memcmp(segment, name, 4) == 0;
}

/* An integer constant. */
static bool take_integer(struct span *span, u64 *value)
{
	u32 bytes;

	if (!left(span))
		return false;
	switch (*span->at) {
	case ZERO_OP:
	case ONE_OP:
		*value = *span->at++;
		return true;
	case ONES_OP:
		span->at++;
		*value = ~0ULL;
		return true;
	case BYTE_PREFIX:
		bytes = 1;
		break;
	case WORD_PREFIX:
		bytes = 2;
		break;
	case DWORD_PREFIX:
		bytes = 4;
		break;
	case QWORD_PREFIX:
		bytes = 8;
		break;
	default:
		return false;
	}
	if (left(span) < 1 + bytes)
		return false;
	*value = little_endian(span->at + 1, bytes);
	span->at += 1 + bytes;
	return true;
}

static bool take_string(struct span *span, const char **text)
{
	const u8 *c;

	if (!left(span) || *span->at != STRING_PREFIX)
		return false;
	for (c = span->at + 1; c < span->end; c++) {
		if (*c)
			continue;
		*text = (const char *)span->at + 1;
		span->at = c + 1;
		return true;
	}
	return false;
}

/* Reads Buffer(size) { ... } or a Package; gives its contents after the size. */
static bool take_braces(struct span *span, u8 op, struct span *inside)
{
	struct span ahead = *span;
	const u8 *end;
	u64 size;

	if (!left(&ahead) || *ahead.at != op)
		return false;
	ahead.at++;
	if (!take_package(&ahead, &end))
		return false;
	*inside = ahead;
	inside->end = end;
	if (op == BUFFER_OP ? !take_integer(inside, &size) : !left(inside))
		return false;
	if (op != BUFFER_OP)
		inside->at++; /* the count of elements, a byte */
	span->at = end;
	return true;
}

/*
 * Reads a device's or method's header, moves span past the whole object, and gives its name and
 * body.
 */
static bool take_scope(struct span *span, u32 op_size, const u8 **name, struct span *body)
{
	struct span ahead = *span;
	const u8 *end;

	ahead.at += op_size;
	if (!take_package(&ahead, &end))
		return false;
	*body = ahead;
	body->end = end;
	if (!take_name(body, name))
		return false;
	span->at = end;
	return true;
}

static bool is_extended(const struct span *span, u8 op)
{
	return left(span) >= 2 && span->at[0] == EXT_PREFIX && span->at[1] == op;
}

/* If a package follows `opcode` bytes at span->at, gives its contents and its end. */
static bool look_into(const struct span *span, u32 opcode, struct span *inside, const u8 **end)
{
	*inside = *span;
	inside->at += opcode;
	return take_package(inside, end);
}

/* Moves past an object that holds no terms, or into one that may. False: there is neither. */
static bool take_object(struct span *span)
{
	struct span inside;
	const u8 *name, *end;
	const char *text;
	u64 value;

	switch (*span->at) {
	case BYTE_PREFIX:
	case WORD_PREFIX:
	case DWORD_PREFIX:
	case QWORD_PREFIX:
		return take_integer(span, &value);
	case STRING_PREFIX:
		return take_string(span, &text);
	case METHOD_OP:
		return take_scope(span, 1, &name, &inside);
	case BUFFER_OP:
	case PACKAGE_OP:
	case VAR_PACKAGE_OP:
		if (!look_into(span, 1, &inside, &end))
			return false;
		span->at = end;
		return true;
	case SCOPE_OP:
	case IF_OP:
	case ELSE_OP:
	case WHILE_OP:
		if (!look_into(span, 1, &inside, &end))
			return false;
		span->at = inside.at;
		return true;
	case EXT_PREFIX:
		if (!is_extended(span, EXT_FIELD) && !is_extended(span, EXT_INDEX_FIELD) &&
		    !is_extended(span, EXT_BANK_FIELD))
			return false;
		if (!look_into(span, 2, &inside, &end))
			return false;
		span->at = end;
		return true;
	default:
		if (!is_name_segment(span))
			return false;
		span->at += 4;
		return true;
	}
}

/* Moves to the next term, by at least one byte and at most to the end. */
static void step(struct span *span)
{
	if (!take_object(span))
		span->at++;
}

static bool work_left(struct span *span)
{
	if (!*span->work)
		return false;
	--*span->work;
	return true;
}

/* If Name(NAME, ...) is at span->at, moves to its object. */
static bool take_name_op(struct span *span, const u8 **name)
{
	struct span ahead = *span;

	if (*ahead.at != NAME_OP)
		return false;
	ahead.at++;
	if (!take_name(&ahead, name))
		return false;
	*span = ahead;
	return true;
}

/* Finds Name(`name`, Buffer) anywhere in a body, except in a device inside it. */
static bool find_buffer(struct span body, const u8 *name, struct span *buffer)
{
	struct span inside;
	const u8 *found;

	while (left(&body) && work_left(&body)) {
		if (take_name_op(&body, &found)) {
			if (memcmp(found, name, 4) == 0 && take_braces(&body, BUFFER_OP, buffer))
				return true;
		} else if (!is_extended(&body, EXT_DEVICE) ||
			   !take_scope(&body, 2, &found, &inside)) {
			step(&body);
		}
	}
	return false;
}

/* Finds what a _CRS method returns: a literal buffer, or the name of one. */
static bool find_returned(struct span method, struct span device, struct span *buffer)
{
	struct span at = method;
	const u8 *name;

	while (left(&at) && work_left(&at)) {
		if (*at.at != RETURN_OP) {
			step(&at);
			continue;
		}
		at.at++;
		if (take_braces(&at, BUFFER_OP, buffer))
			return true;
		if (take_name(&at, &name))
			return find_buffer(method, name, buffer) ||
			       find_buffer(device, name, buffer);
	}
	return false;
}

struct device {
	bool matches;
	bool absent;
	bool has_crs;
	struct span crs;
	u64 ack_port; /* TBAK */
};

static bool id_matches(struct span *span, const char *id)
{
	struct span package;
	const char *text;

	if (take_string(span, &text))
		return strcmp(text, id) == 0;
	if (!take_braces(span, PACKAGE_OP, &package))
		return false;
	while (left(&package) && work_left(&package)) {
		if (!take_string(&package, &text))
			step(&package);
		else if (strcmp(text, id) == 0)
			return true;
	}
	return false;
}

static void look_at_name(struct span *span, const u8 *name, const char *id, struct device *device)
{
	u64 status;

	if (name_is(name, "_HID") || name_is(name, "_CID"))
		device->matches |= id_matches(span, id);
	else if (name_is(name, "_STA") && take_integer(span, &status))
		device->absent = !(status & 1);
	else if (name_is(name, "_CRS") && take_braces(span, BUFFER_OP, &device->crs))
		device->has_crs = true;
	else if (name_is(name, "TBAK") && take_integer(span, &status))
		device->ack_port = status;
}

static void look_at_device(struct span body, const char *id, struct device *device)
{
	struct span at = body, inside;
	const u8 *name;

	while (left(&at) && work_left(&at)) {
		if (take_name_op(&at, &name)) {
			look_at_name(&at, name, id, device);
		} else if (*at.at == METHOD_OP && take_scope(&at, 1, &name, &inside)) {
			if (name_is(name, "_CRS") && !device->has_crs && left(&inside)) {
				inside.at++; /* the method's flags */
				device->has_crs = find_returned(inside, body, &device->crs);
			}
		} else if (!is_extended(&at, EXT_DEVICE) || !take_scope(&at, 2, &name, &inside)) {
			step(&at);
		}
	}
}

/*
 * The fields of an address space item after its three flag bytes: granularity, minimum, maximum,
 * translation, length, each of `width` bytes.
 */
static enum aml_error read_window(const u8 *fields, u32 width, struct aml_region *region)
{
	u64 minimum = little_endian(fields + width, width);
	u64 maximum = little_endian(fields + 2 * width, width);
	u64 translation = little_endian(fields + 3 * width, width);

	region->size = little_endian(fields + 4 * width, width);
	if (!region->size && maximum > minimum)
		region->size = maximum - minimum + 1;
	region->base = minimum + translation;
	return region->base < minimum ? AML_BAD_MEMORY : AML_OK;
}

/* Reads one large item; AML_NO_MEMORY if it does not describe memory. */
static enum aml_error read_item(u8 tag, const u8 *body, u32 length, struct aml_region *region)
{
	enum aml_error error = AML_OK;
	u32 width = tag == ITEM_QWORD ? 8 : 4;

	if (tag == ITEM_MEMORY32_FIXED) {
		if (length < 9)
			return AML_BAD_CRS;
		region->base = little_endian(body + 1, 4);
		region->size = little_endian(body + 5, 4);
	} else if (tag == ITEM_DWORD || tag == ITEM_QWORD) {
		if (length < 3 + 5 * width)
			return AML_BAD_CRS;
		if (body[0] != SPACE_MEMORY)
			return AML_NO_MEMORY;
		error = read_window(body + 3, width, region);
	} else {
		return AML_NO_MEMORY;
	}
	if (!error && (!region->size || region->base + (region->size - 1) < region->base))
		error = AML_BAD_MEMORY;
	return error;
}

static enum aml_error read_resources(struct span crs, struct aml_region *region)
{
	while (left(&crs)) {
		u8 tag = *crs.at;
		u32 header = tag & 0x80 ? 3 : 1, length;
		enum aml_error error;

		if (left(&crs) < header)
			return AML_BAD_CRS;
		length = tag & 0x80 ? (u32)little_endian(crs.at + 1, 2) : tag & 7;
		if (left(&crs) < header + length)
			return AML_BAD_CRS;
		if (!(tag & 0x80) && tag >> 3 == SMALL_END)
			return AML_NO_MEMORY;
		if (tag & 0x80) {
			error = read_item(tag, crs.at + header, length, region);
			if (error != AML_NO_MEMORY)
				return error;
		}
		crs.at += header + length;
	}
	/* A template ends with an end tag, not with its buffer. */
	return AML_BAD_CRS;
}

/* Reads an Extended Interrupt descriptor: flags, count, and the first interrupt of it. */
static enum aml_error read_interrupt(struct span crs, struct aml_interrupt *interrupt)
{
	while (left(&crs)) {
		u8 tag = *crs.at;
		u32 header = tag & 0x80 ? 3 : 1, length;
		const u8 *body;

		if (left(&crs) < header)
			return AML_BAD_CRS;
		length = tag & 0x80 ? (u32)little_endian(crs.at + 1, 2) : tag & 7;
		if (left(&crs) < header + length)
			return AML_BAD_CRS;
		if (!(tag & 0x80) && tag >> 3 == SMALL_END)
			return AML_NO_INTERRUPT;
		body = crs.at + header;
		if (tag == ITEM_INTERRUPT) {
			if (length < 6 || !body[1])
				return AML_BAD_CRS;
			interrupt->level = !(body[0] & 2);
			interrupt->low = (body[0] & 4) != 0;
			interrupt->gsi = (u32)little_endian(body + 2, 4);
			return AML_OK;
		}
		crs.at += header + length;
	}
	return AML_BAD_CRS;
}

/* What is wanted of a device: one of the two is not NULL. */
struct wanted {
	struct aml_region *region;
	struct aml_interrupt *interrupt;
};

static enum aml_error judge(const struct device *device, const struct wanted *wanted)
{
	if (!device->matches)
		return AML_NO_DEVICE;
	if (device->absent)
		return AML_NOT_PRESENT;
	if (!device->has_crs)
		return AML_NO_CRS;
	if (wanted->region)
		return read_resources(device->crs, wanted->region);
	wanted->interrupt->ack_port = device->ack_port <= 0xffff ? (u16)device->ack_port : 0;
	return read_interrupt(device->crs, wanted->interrupt);
}

static enum aml_error find_device(const u8 *table, u32 length, const char *id,
				  const struct wanted *wanted)
{
	u64 work = (u64)length * WORK_PER_BYTE;
	struct span at = { table + ACPI_HEADER_SIZE, table + length, &work };
	enum aml_error result = AML_NO_DEVICE;

	if (length < ACPI_HEADER_SIZE)
		return AML_NO_DEVICE;
	while (left(&at)) {
		struct span whole = at, body;
		struct device device = { 0 };
		enum aml_error error;
		const u8 *name;

		if (!work_left(&at))
			return AML_TOO_LONG;
		if (!is_extended(&at, EXT_DEVICE) || !take_scope(&whole, 2, &name, &body)) {
			step(&at);
			continue;
		}
		look_at_device(body, id, &device);
		error = judge(&device, wanted);
		if (error == AML_OK)
			return AML_OK;
		if (result == AML_NO_DEVICE)
			result = error;
		at.at = body.at; /* there may be devices in it */
	}
	return result;
}

enum aml_error aml_find_device(const u8 *table, u32 length, const char *id,
			       struct aml_region *region)
{
	const struct wanted wanted = { .region = region };
	enum aml_error error = find_device(table, length, id, &wanted);

	if (error)
		memset(region, 0, sizeof(*region));
	return error;
}

enum aml_error aml_find_interrupt(const u8 *table, u32 length, const char *id,
				  struct aml_interrupt *interrupt)
{
	const struct wanted wanted = { .interrupt = interrupt };
	enum aml_error error = find_device(table, length, id, &wanted);

	if (error)
		memset(interrupt, 0, sizeof(*interrupt));
	return error;
}

bool aml_find_soft_off(const u8 *table, u32 length, u8 *type_a, u8 *type_b)
{
	u64 work = (u64)length * WORK_PER_BYTE, value[2];
	struct span at = { table + ACPI_HEADER_SIZE, table + length, &work }, package;
	const u8 *name;

	if (length < ACPI_HEADER_SIZE)
		return false;
	while (left(&at) && work_left(&at)) {
		if (!take_name_op(&at, &name)) {
			step(&at);
			continue;
		}
		if (!name_is(name, "_S5_") || !take_braces(&at, PACKAGE_OP, &package))
			continue;
		if (!take_integer(&package, &value[0]) || !take_integer(&package, &value[1]))
			return false;
		*type_a = (u8)value[0] & 7;
		*type_b = (u8)value[1] & 7;
		return true;
	}
	return false;
}
