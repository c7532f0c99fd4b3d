// SPDX-License-Identifier: GPL-2.0-or-later
/* Text on a linear frame buffer. The frame buffer is only written, a line of text at a time. */
#include "arch/x86/screen.h"
#include "arch/x86/paging.h"

#define GLYPH_WIDTH  8
#define GLYPH_HEIGHT 16
#define GLYPH_FIRST  ' '
#define GLYPH_LAST   '~'
#define WHITE	     0xffffffff

/* arch/x86/font.asm: GLYPH_HEIGHT bytes for each character, leftmost pixel in the highest bit. */
extern const u8 screen_font[];

static struct {
	volatile u32 *pixels;
	u32 stride;
	u32 columns, rows; /* of characters */
	u32 column, row;
} screen;

static void draw(u32 column, u32 row, char c)
{
	const u8 *glyph;
	u32 x, y;

	if (c < GLYPH_FIRST || c > GLYPH_LAST)
		c = '?';
	glyph = screen_font + (c - GLYPH_FIRST) * GLYPH_HEIGHT;
	for (y = 0; y < GLYPH_HEIGHT; y++) {
		volatile u32 *line = screen.pixels + (u64)(row * GLYPH_HEIGHT + y) * screen.stride +
				     column * GLYPH_WIDTH;

		for (x = 0; x < GLYPH_WIDTH; x++)
			line[x] = glyph[y] & 0x80 >> x ? WHITE : 0;
	}
}

static void clear_row(u32 row)
{
	u32 column;

	for (column = 0; column < screen.columns; column++)
		draw(column, row, ' ');
}

static void new_line(void)
{
	screen.column = 0;
	screen.row = (screen.row + 1) % screen.rows;
	clear_row((screen.row + 1) % screen.rows);
}

bool screen_init(u64 base, u32 width, u32 height, u32 stride)
{
	if (!base || width < GLYPH_WIDTH || height < 2 * GLYPH_HEIGHT || stride < width ||
	    paging_map(base, (u64)stride * height * sizeof(u32), CACHE_OFF))
		return false;
	screen.pixels = (volatile u32 *)base;
	screen.stride = stride;
	screen.columns = width / GLYPH_WIDTH;
	screen.rows = height / GLYPH_HEIGHT;
	for (u32 row = 0; row < screen.rows; row++)
		clear_row(row);
	return true;
}

bool screen_present(void)
{
	return screen.pixels != NULL;
}

void screen_write(const char *text, size_t length)
{
	if (!screen.pixels)
		return;
	for (; length; length--, text++) {
		if (*text == '\n') {
			new_line();
			continue;
		}
		if (screen.column == screen.columns)
			new_line();
		draw(screen.column++, screen.row, *text);
	}
}
