/*
 * The first sector of the disk that a Bochs machine starts from: it reads what lists the disk's contents, loads them, and
 * enters the kernel where hypervisors do (PVH: include/xen/interface/hvm/start_info.h of Linux). What is entered there is
 * the unpacked kernel: to unpack it takes a slow processor minutes.
 *
 * boot_disk.py writes the sectors behind this one, and knows the addresses that stand here:
 *   0x8000  struct hvm_start_info; the count of memory_map is at 0x30
 *   0x8038  address at which the kernel is entered
 *   0x8060  loads: first sector (32 bits), address (32), pieces of 64 sectors (16), nothing (16); the last has no pieces
 *   0x9000  memory_map: struct hvm_memmap_table_entry, as the firmware tells it
 */
	.set	start_info, 0x8000
	.set	map_entries, 0x8030
	.set	kernel_entry, 0x8038
	.set	loads, 0x8060
	.set	memory_map, 0x9000
	.set	buffer, 0x10000		/* one piece; the firmware can't read to higher addresses */
	.set	piece, 64		/* sectors */

	.code16
	.globl	_start
_start:	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$_start, %sp
	sti
	cld
	ljmp	$0, $1f
1:	mov	%dl, drive
	in	$0x92, %al		/* address line 20 */
	or	$2, %al
	out	%al, $0x92

	call	read			/* the sectors after this one, to start_info */
	movw	$piece, sectors
	movl	$(buffer >> 4 << 16), address

	mov	$loads, %bp
load:	mov	(%bp), %eax
	mov	%eax, sector
	mov	4(%bp), %edi
	mov	8(%bp), %cx
	add	$12, %bp
	jcxz	memory
next:	push	%cx
	push	%edi
	call	read
	pop	%edi
	call	flat
	mov	$buffer, %esi
	mov	$(piece * 512 / 4), %ecx
	addr32 rep movsl
	addl	$piece, sector
	pop	%cx
	loop	next
	jmp	load

memory:	xor	%ebx, %ebx
	mov	$memory_map, %di
1:	mov	$0xe820, %eax
	mov	$0x534d4150, %edx	/* SMAP */
	mov	$20, %ecx
	int	$0x15
	jc	2f
	incl	map_entries
	add	$24, %di		/* of which the firmware writes 20 */
	test	%ebx, %ebx
	jnz	1b

2:	cli
	lgdt	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmp	$16, $3f
	.code32
3:	mov	$8, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$start_info, %ebx
	jmp	*kernel_entry

	.code16
read:	mov	$packet, %si
	mov	drive, %dl
	mov	$0x42, %ah
	int	$0x13
	jc	broken
	ret
broken:	mov	$complaint, %si		/* to the first serial port */
1:	lodsb
	mov	$1, %ah
	xor	%dx, %dx
	int	$0x14
	cmpb	$10, -1(%si)
	jne	1b
2:	hlt
	jmp	2b

flat:	cli				/* %ds and %es reach all of the memory, until the firmware is called */
	lgdt	gdtr
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	mov	$8, %cx
	mov	%cx, %ds
	mov	%cx, %es
	and	$0xfe, %al
	mov	%eax, %cr0
	xor	%cx, %cx
	mov	%cx, %ds
	mov	%cx, %es
	sti
	ret

	.balign	8
gdt:	.quad	0, 0x00cf92000000ffff, 0x00cf9a000000ffff
gdtr:	.word	. - gdt - 1
	.long	gdt
packet:	.word	16
sectors: .word	8
address: .long	start_info
sector:	.quad	1
drive:	.byte	0
complaint: .ascii "nestvirt-lab L0 no-disk up=0.0: the disk that it starts from can't be read\n"
	.org	510
	.word	0xaa55
