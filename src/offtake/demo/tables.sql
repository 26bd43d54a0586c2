-- The demo's tables. Every row belongs to the tenant named in its last column; offtake.yaml says how each is exported.
-- Decimals are kept as text: SQLite has no decimals and would make doubles of them.

-- Optimaite: a law firm
CREATE TABLE invoices (
  id TEXT PRIMARY KEY, invoice_number TEXT NOT NULL, case_id TEXT, case_name TEXT, party_id TEXT, party_name TEXT,
  status TEXT NOT NULL, invoice_date DATE NOT NULL, due_date DATE, paid_at TIMESTAMP, currency TEXT,
  total_net TEXT, tax_amount TEXT, total_gross TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE time_entries (
  id TEXT PRIMARY KEY, date DATE NOT NULL, user_id TEXT, user_name TEXT, case_id TEXT, case_name TEXT, description TEXT,
  minutes INTEGER, billable BOOLEAN, hourly_rate TEXT, amount TEXT,
  created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE cases (
  id TEXT PRIMARY KEY, case_number TEXT, name TEXT, status TEXT, type TEXT, dezernat TEXT, party_id TEXT, party_name TEXT,
  lawyer TEXT, opened_at DATE NOT NULL, closed_at DATE, value_in_dispute TEXT,
  created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE parties (
  id TEXT PRIMARY KEY, name TEXT, type TEXT, email TEXT, phone TEXT, street TEXT, postcode TEXT, country TEXT,
  created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE documents (
  id TEXT PRIMARY KEY, name TEXT, case_id TEXT, case_name TEXT, folder TEXT, mime_type TEXT, size_bytes INTEGER,
  created_by TEXT, created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE deadlines (
  id TEXT PRIMARY KEY, title TEXT, case_id TEXT, case_name TEXT, status TEXT, due_date DATE NOT NULL,
  completed_at TIMESTAMP, assigned_to TEXT, created_at TIMESTAMP NOT NULL, tenant TEXT NOT NULL);

-- Exelensia: documents a machine has read
CREATE TABLE extraction_schemas (
  id TEXT PRIMARY KEY, name TEXT, description TEXT, fields JSON, createdAt TIMESTAMP NOT NULL, updatedAt TIMESTAMP,
  tenant TEXT NOT NULL);
CREATE TABLE extraction_results (
  id TEXT PRIMARY KEY, process_id TEXT, file_id TEXT, schema_id TEXT NOT NULL, status TEXT NOT NULL, data JSON,
  createdAt TIMESTAMP NOT NULL, updatedAt TIMESTAMP, tenant TEXT NOT NULL);

-- Camunda Optimize: processes that ran
CREATE TABLE process_instances (
  id TEXT PRIMARY KEY, processDefinitionKey TEXT NOT NULL, processDefinitionId TEXT NOT NULL,
  processInstanceId TEXT NOT NULL, businessKey TEXT, startDate TIMESTAMP NOT NULL, endDate TIMESTAMP, duration INTEGER,
  engineName TEXT, tenantId TEXT, variables JSON, tenant TEXT NOT NULL);

-- Altafid: an adviser's address book
CREATE TABLE contacts (
  id TEXT PRIMARY KEY, first_name TEXT, paternal_last_name TEXT, maternal_last_name TEXT, preferred_email TEXT,
  phone TEXT, stage TEXT, contact_type TEXT, tax_id TEXT, account_number TEXT, customer_number TEXT, birth_date DATE,
  is_active BOOLEAN, net_worth TEXT, score REAL, city TEXT, country TEXT, tags JSON, notes TEXT,
  household_id TEXT, organisation_id TEXT, custom JSON, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP,
  tenant TEXT NOT NULL);
CREATE TABLE contact_fields (
  id TEXT PRIMARY KEY, uuid TEXT NOT NULL, label TEXT, type TEXT, form_uuid TEXT, form TEXT, position INTEGER,
  createdAt TIMESTAMP NOT NULL, tenant TEXT NOT NULL);
CREATE TABLE organisations (
  id TEXT PRIMARY KEY, name TEXT, organisationType TEXT, taxId TEXT, website TEXT, employees INTEGER, city TEXT,
  country TEXT, isActive BOOLEAN, createdAt TIMESTAMP NOT NULL, updatedAt TIMESTAMP, tenant TEXT NOT NULL);
CREATE TABLE households (
  id TEXT PRIMARY KEY, name TEXT, isActive BOOLEAN, members INTEGER, netWorth TEXT,
  createdAt TIMESTAMP NOT NULL, updatedAt TIMESTAMP, tenant TEXT NOT NULL);

-- Rebilly: a subscription business
CREATE TABLE customers (
  id TEXT PRIMARY KEY, email TEXT, firstName TEXT, lastName TEXT, status TEXT, country TEXT, primaryAddress JSON,
  paymentCount INTEGER, lifetimeRevenue JSON, averageValue JSON, tags JSON, createdTime TIMESTAMP NOT NULL,
  updatedTime TIMESTAMP, tenant TEXT NOT NULL);
CREATE TABLE subscriptions (
  id TEXT PRIMARY KEY, customerId TEXT, planId TEXT, status TEXT, quantity INTEGER, currency TEXT,
  amount TEXT, autopay BOOLEAN, startTime TIMESTAMP, renewalTime TIMESTAMP, canceledTime TIMESTAMP,
  createdTime TIMESTAMP NOT NULL, updatedTime TIMESTAMP, tenant TEXT NOT NULL);
CREATE TABLE transactions (
  id TEXT PRIMARY KEY, customerId TEXT, type TEXT, status TEXT, result TEXT, amount TEXT, currency TEXT,
  method TEXT, gatewayName TEXT, orderId TEXT, isReconciled BOOLEAN, processedTime TIMESTAMP,
  createdTime TIMESTAMP NOT NULL, updatedTime TIMESTAMP, tenant TEXT NOT NULL);
CREATE TABLE billing_invoices (
  id TEXT PRIMARY KEY, invoiceNumber TEXT, customerId TEXT, status TEXT, currency TEXT, amount TEXT,
  amountDue TEXT, issuedTime TIMESTAMP, dueTime TIMESTAMP, paidTime TIMESTAMP,
  createdTime TIMESTAMP NOT NULL, updatedTime TIMESTAMP, tenant TEXT NOT NULL);
CREATE TABLE invoice_items (
  id TEXT PRIMARY KEY, invoiceId TEXT, productId TEXT, type TEXT, description TEXT, quantity INTEGER,
  unitPrice TEXT, price TEXT, currency TEXT, createdTime TIMESTAMP NOT NULL, updatedTime TIMESTAMP,
  tenant TEXT NOT NULL);
CREATE TABLE disputes (
  id TEXT PRIMARY KEY, customerId TEXT, transactionId TEXT, status TEXT, type TEXT, reasonCode TEXT,
  amount TEXT, currency TEXT, deadlineTime TIMESTAMP, createdTime TIMESTAMP NOT NULL, updatedTime TIMESTAMP,
  tenant TEXT NOT NULL);
