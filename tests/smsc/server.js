// An SMSC on node-smpp, told what to do and telling what it saw in lines of JSON. It knows nothing of our code.
'use strict';
const readline = require('readline');
const smpp = require(process.argv[2]);
const PASSWORD = process.argv[3];

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
let bound = [];
let statuses = [];  // what the next texts are answered with; 0 when there are no more
let receipts = 'text';  // 'text', 'tlv', or 'none'
let count = 0xabc0;

const pad = (n) => String(n).padStart(10, '0');

function receiptOf(pdu, id) {
	const receipt = {
		source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
		esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
	};
	if (receipts === 'tlv') {
		return {...receipt, receipted_message_id: id.toString(16), message_state: smpp.MESSAGE_STATE.DELIVERED,
			short_message: ''};
	}
	// The id was hexadecimal in the answer and is decimal here, with zeros in front, as of several real SMSCs.
	return {...receipt, short_message: `id:${pad(id)} sub:001 dlvrd:001 submit date:2611220525 done date:2611220525 ` +
		'stat:DELIVRD err:000 text:'};
}

const server = smpp.createServer((session) => {
	session.on('error', () => session.destroy());
	session.on('close', () => { bound = bound.filter((other) => other !== session); say({saw: 'close'}); });
	session.on('bind_transceiver', (pdu) => {
		const right = pdu.password === PASSWORD;
		say({saw: 'bind', system_id: pdu.system_id, version: pdu.interface_version, right});
		session.send(pdu.response({command_status: right ? 0 : smpp.ESME_RINVPASWD, system_id: 'node-smpp'}));
		if (right) bound.push(session); else session.close();
	});
	session.on('enquire_link', (pdu) => { say({saw: 'enquire_link'}); session.send(pdu.response()); });
	session.on('unbind', (pdu) => { say({saw: 'unbind'}); session.send(pdu.response()); session.close(); });
	session.on('unknown', (pdu) => say({saw: 'unknown', command: pdu.command_id}));
	session.on('submit_sm', (pdu) => {
		const status = statuses.length ? statuses.shift() : 0;
		const id = ++count;
		say({
			saw: 'submit_sm', status, id: id.toString(16), to: pdu.destination_addr, to_ton: pdu.dest_addr_ton,
			to_npi: pdu.dest_addr_npi, from: pdu.source_addr, esm_class: pdu.esm_class, data_coding: pdu.data_coding,
			registered_delivery: pdu.registered_delivery, text: pdu.short_message.message,
			udh: (pdu.short_message.udh || []).map((element) => element.toString('hex')),
			validity: pdu.validity_period,
		});
		session.send(pdu.response(status ? {command_status: status} : {message_id: id.toString(16)}));
		if (!status && pdu.registered_delivery && receipts !== 'none') {
			session.deliver_sm(receiptOf(pdu, id), (answer) => say({saw: 'receipt_resp', status: answer.command_status}));
		}
	});
});
server.listen(Number(process.argv[4] || 0), '127.0.0.1', () => say({saw: 'listening', port: server.address().port}));

readline.createInterface({input: process.stdin}).on('line', (line) => {
	const told = JSON.parse(line);
	if (told.statuses) statuses = told.statuses;
	if (told.receipts) receipts = told.receipts;
	if (told.deliver) {
		bound[0].deliver_sm(told.deliver, (answer) => say({saw: 'deliver_resp', status: answer.command_status}));
	}
	if (told.enquire) bound[0].enquire_link((answer) => say({saw: 'enquire_resp', status: answer.command_status}));
	if (told.nonsense) bound[0].send(new smpp.PDU('query_sm', {message_id: 'x', source_addr: ''}),
		(answer) => say({saw: 'nonsense_resp', command: answer.command, status: answer.command_status}));
}).on('close', () => process.exit());
